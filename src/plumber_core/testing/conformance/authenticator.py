"""What every authenticator must do."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plumber_core.model.views import Principal
from plumber_core.plugins.catalogue import AUTHENTICATORS
from plumber_core.plugins.contracts.authenticator import Authenticator, Credential, CredentialRejected
from plumber_core.testing.conformance.opened import assert_contract, opened, override


class AuthenticatorConformance:
    """Override all three fixtures."""

    @pytest.fixture
    def authenticator(self) -> Authenticator:
        """The authenticator to test."""
        raise override("authenticator")

    @pytest.fixture
    def good_credential(self) -> Credential:
        """A credential of somebody."""
        raise override("good_credential")

    @pytest.fixture
    def bad_credential(self) -> Credential:
        """A credential that must open nothing."""
        raise override("bad_credential")

    def test_contract(self, authenticator: Authenticator) -> None:
        assert_contract(authenticator, AUTHENTICATORS)

    def test_accepts_are_kinds_of_credentials(self, authenticator: Authenticator, good_credential: Credential) -> None:
        assert all(issubclass(kind, Credential) for kind in authenticator.accepts)
        assert type(good_credential) in authenticator.accepts

    def test_good_credential_is_somebody(self, authenticator: Authenticator, good_credential: Credential) -> None:
        principal = opened(authenticator, lambda: authenticator.authenticate(good_credential))
        assert isinstance(principal, Principal)
        assert principal.id
        assert principal.name

    def test_answers_the_same_to_many_at_once(self, authenticator: Authenticator, good_credential: Credential) -> None:
        async def ask() -> list[Any]:
            return await asyncio.gather(*(authenticator.authenticate(good_credential) for _ in range(5)))

        answers = opened(authenticator, ask)
        assert answers == [answers[0]] * 5

    def test_bad_credential_is_nobody(self, authenticator: Authenticator, bad_credential: Credential) -> None:
        answer, told = None, ""
        try:
            answer = opened(authenticator, lambda: authenticator.authenticate(bad_credential))
        except CredentialRejected as error:
            told = str(error)
        assert answer is None
        assert _leaks(told, bad_credential) == []

    def test_can_be_opened_again(self, authenticator: Authenticator, good_credential: Credential) -> None:
        first, second = (opened(authenticator, lambda: authenticator.authenticate(good_credential)) for _ in range(2))
        assert first == second


def _leaks(text: str, credential: Credential) -> list[str]:
    """Return the credential's secret parts (those that its repr hides) that the text contains."""
    parts = [getattr(credential, name, "") for name in ("token", "password")]
    return [part for part in parts if part and part in text]
