"""Who asks: logins and API tokens."""

from __future__ import annotations

from typing import Protocol

from plumber_core.control.operations import operation
from plumber_core.model.views import Done, LoginResult, Principal, TokenCreated, TokenInfo


class Sessions(Protocol):
    """Logging in and out."""

    @operation("session.login", public=True)
    async def login(self, *, username: str, password: str) -> LoginResult:
        """Exchange a password for a session token.

        Raises: WrongPassword, RateLimited.
        """
        ...

    @operation("session.logout")
    async def logout(self) -> Done:
        """End the session that makes this call."""
        ...

    @operation("session.whoami", writes=False)
    async def whoami(self) -> Principal:
        """Return who makes this call."""
        ...

    @operation("session.change_password")
    async def change_password(self, *, current: str, new: str) -> Done:
        """Change the caller's password and end all of the caller's other sessions.

        Raises: WrongPassword, InvalidRequest (shorter than 12 characters).
        """
        ...


class Tokens(Protocol):
    """API tokens for programs."""

    @operation("token.create")
    async def create(self, *, name: str, days: int | None = 365) -> TokenCreated:
        """Create an API token; its secret is in this answer only. ``days`` None never expires."""
        ...

    @operation("token.list", writes=False)
    async def list(self) -> list[TokenInfo]:
        """Return the caller's API tokens."""
        ...

    @operation("token.revoke")
    async def revoke(self, *, id: str) -> Done:
        """Revoke an API token at once.

        Raises: NotFound.
        """
        ...
