"""The narrow window through which built-in authenticators see the installation's users and tokens."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class UserRecord:
    """A user who may log in. ``password_hash`` is None for users who log in elsewhere only."""

    id: str
    name: str
    password_hash: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class TokenRecord:
    """A token that is good now. ``session`` tokens act as their user, ``api`` tokens as themselves."""

    id: str
    kind: Literal["session", "api"]
    name: str
    user_id: str
    user_name: str


class IdentityStore(Protocol):
    """Implemented by the storage. Both answer only what may be used at the database's present time."""

    async def find_user(self, username: str) -> UserRecord | None:
        """Return the user with this name, or None if there is none or the user is disabled."""
        ...

    async def find_token(self, digest: str) -> TokenRecord | None:
        """Return the token with this SHA-256 (64 hex digits), or None if unknown, expired or revoked."""
        ...
