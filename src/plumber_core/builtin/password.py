"""Users of the installation log in with their password."""

from __future__ import annotations

from collections.abc import Iterable

from plumber_core import (
    Authenticator,
    Credential,
    CredentialRejected,
    IdentityStore,
    Password,
    PluginContext,
    Principal,
    hookimpl,
)
from plumber_core.builtin.passwords import verify_password


class PasswordAuthenticator(Authenticator):
    """Knows the users that have a password here. Others are left to other authenticators."""

    name = "password"
    accepts = frozenset({Password})

    def __init__(self, identities: IdentityStore) -> None:
        self._identities = identities

    async def authenticate(self, credential: Credential) -> Principal | None:
        """Return the user; an unknown name takes as long as a wrong password."""
        if not isinstance(credential, Password):
            return None
        user = await self._identities.find_user(credential.username)
        stored = user.password_hash if user else None
        right = await verify_password(stored, credential.password)
        if user is None or stored is None:
            return None
        if not right:
            raise CredentialRejected(f"wrong password for {user.name}")
        return Principal(kind="user", id=user.id, name=user.name)


@hookimpl
def register_authenticators(ctx: PluginContext) -> Iterable[Authenticator]:
    return [PasswordAuthenticator(ctx.identities)]
