"""What every secret provider must do."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from plumber_core.plugins.catalogue import SECRET_PROVIDERS
from plumber_core.plugins.contracts.secret_provider import SecretNotFound, SecretProvider, SecretRef
from plumber_core.testing.conformance.opened import assert_contract, opened, override


class SecretProviderConformance:
    """Override all three fixtures."""

    @pytest.fixture
    def provider(self) -> SecretProvider:
        """The provider to test."""
        raise override("provider")

    @pytest.fixture
    def known(self) -> tuple[SecretRef, str]:
        """A reference and the secret behind it."""
        raise override("known")

    @pytest.fixture
    def unknown(self) -> SecretRef:
        """A reference with nothing behind it."""
        raise override("unknown")

    def test_contract(self, provider: SecretProvider) -> None:
        assert_contract(provider, SECRET_PROVIDERS)

    def test_fetches(self, provider: SecretProvider, known: tuple[SecretRef, str]) -> None:
        secret = opened(provider, lambda: provider.fetch(known[0]))
        assert isinstance(secret, SecretStr)
        assert secret.get_secret_value() == known[1]
        assert known[1] not in repr(secret)

    def test_unknown_is_not_found(self, provider: SecretProvider, unknown: SecretRef) -> None:
        with pytest.raises(SecretNotFound, match=unknown.name):
            opened(provider, lambda: provider.fetch(unknown))

    @pytest.mark.parametrize("name", ["../etc/passwd", "/etc/passwd", "a\x00b", "..", "x" * 5000])
    def test_hostile_name_is_not_found(self, provider: SecretProvider, name: str) -> None:
        with pytest.raises(SecretNotFound):
            opened(provider, lambda: provider.fetch(SecretRef(provider.scheme, name)))
