"""What every authoriser must do."""

from __future__ import annotations

import pytest

from plumber_core.model.views import Principal
from plumber_core.plugins.catalogue import AUTHORISERS
from plumber_core.plugins.contracts.authoriser import Authoriser, Decision
from plumber_core.testing.conformance.opened import assert_contract, opened, override

Question = tuple[Principal, str, str | None]
"""Who, the action, and what it is about."""

EVERYBODY = [
    Principal(kind="user", id="u1", name="ada"),
    Principal(kind="token", id="t1", name="ci"),
    Principal(kind="agent", id="a1", name="web-1"),
    Principal(kind="system", id="system", name="system"),
]


class AuthoriserConformance:
    """Override ``authoriser``, and ``allowed`` and ``refused`` with questions of your own."""

    @pytest.fixture
    def authoriser(self) -> Authoriser:
        """The authoriser to test."""
        raise override("authoriser")

    @pytest.fixture
    def allowed(self) -> list[Question]:
        """Questions that it answers with ALLOW."""
        return []

    @pytest.fixture
    def refused(self) -> list[Question]:
        """Questions that it does not answer with ALLOW."""
        return []

    def test_contract(self, authoriser: Authoriser) -> None:
        assert_contract(authoriser, AUTHORISERS)

    def test_allows(self, authoriser: Authoriser, allowed: list[Question]) -> None:
        for question in allowed:
            assert _decide(authoriser, question) is Decision.ALLOW, question

    def test_refuses(self, authoriser: Authoriser, refused: list[Question]) -> None:
        for question in refused:
            assert _decide(authoriser, question) is not Decision.ALLOW, question

    @pytest.mark.parametrize("principal", EVERYBODY, ids=lambda principal: principal.kind)
    @pytest.mark.parametrize("action", ["task:run", "nobody:knows", "", "ä\n"])
    @pytest.mark.parametrize("resource", [None, "", "shop", "../x"])
    def test_decides_whatever_is_asked(
        self, authoriser: Authoriser, principal: Principal, action: str, resource: str | None
    ) -> None:
        first, second = (_decide(authoriser, (principal, action, resource)) for _ in range(2))
        assert isinstance(first, Decision)
        assert first is second


def _decide(authoriser: Authoriser, question: Question) -> Decision:
    return opened(authoriser, lambda: authoriser.decide(*question))
