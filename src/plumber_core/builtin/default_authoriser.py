"""Whoever has an account may do everything; agents may do nothing here. Roles will refine this."""

from __future__ import annotations

from collections.abc import Iterable

from plumber_core import Authoriser, Decision, Principal, hookimpl

TRUSTED = frozenset({"user", "token", "system"})
"""Kinds of principals. An agent speaks the agents' protocol and asks for no operation."""


class DefaultAuthoriser(Authoriser):
    """Allows users, their programs and the installation itself; other plugins can still deny."""

    name = "default"

    async def decide(self, principal: Principal, action: str, resource: str | None) -> Decision:
        """Return ALLOW or ABSTAIN by the kind of principal."""
        return Decision.ALLOW if principal.kind in TRUSTED else Decision.ABSTAIN


@hookimpl
def register_authorisers() -> Iterable[Authoriser]:
    return [DefaultAuthoriser()]
