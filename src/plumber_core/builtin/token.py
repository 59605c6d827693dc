"""Sessions and programs show the token that they were given."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from plumber_core import (
    Authenticator,
    Bearer,
    Credential,
    IdentityStore,
    PluginContext,
    Principal,
    hookimpl,
)


class TokenAuthenticator(Authenticator):
    """Knows the tokens that were issued here, by their hash. Others are left to other authenticators."""

    name = "token"
    accepts = frozenset({Bearer})

    def __init__(self, identities: IdentityStore) -> None:
        self._identities = identities

    async def authenticate(self, credential: Credential) -> Principal | None:
        """Return the user of a session, or the program that a token stands for."""
        if not isinstance(credential, Bearer):
            return None
        digest = hashlib.sha256(credential.token.encode("utf-8", "surrogatepass")).hexdigest()
        if (token := await self._identities.find_token(digest)) is None:
            return None
        if token.kind == "session":
            return Principal(kind="user", id=token.user_id, name=token.user_name)
        return Principal(kind="token", id=token.id, name=token.name)


@hookimpl
def register_authenticators(ctx: PluginContext) -> Iterable[Authenticator]:
    return [TokenAuthenticator(ctx.identities)]
