"""A plugin for Plumber: people log in with LDAP, and their groups say what they may do.

Settings::

    [plugins.ldap]
    server = "ldaps://ldap.example"
    user = "uid={username},ou=people,dc=example,dc=org"
    groups = "ou=groups,dc=example,dc=org"

    [plugins.ldap.may]                 # group -> actions, with * for any
    operators = ["*"]
    viewers = ["*:list", "*:show", "execution:*", "system:*", "session:*", "log:read", "event:follow"]
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterable
from fnmatch import fnmatchcase

import ldap3
from ldap3.utils.conv import escape_filter_chars
from ldap3.utils.dn import escape_rdn
from pydantic import BaseModel, Field

from plumber_core import (
    Authenticator,
    Authoriser,
    Credential,
    CredentialRejected,
    Decision,
    Password,
    PluginContext,
    Principal,
    hookimpl,
)

PREFIX = "ldap:"
REMEMBERED = 30.0
"""Seconds for which somebody's groups are remembered."""


class Settings(BaseModel):
    """``[plugins.ldap]``; without a server the plugin does nothing."""

    server: str | None = None
    user: str = "uid={username},ou=people,dc=example,dc=org"
    groups: str = "ou=groups,dc=example,dc=org"
    may: dict[str, list[str]] = Field(default_factory=dict)
    timeout: int = Field(5, ge=1, le=10)


class Directory:
    """Asks the LDAP server; each question in a thread, on a connection of its own."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._groups: dict[str, tuple[float, frozenset[str]]] = {}

    async def knows(self, username: str, password: str) -> bool:
        """Say whether somebody can bind with this password.

        Raises: ldap3.core.exceptions.LDAPException (the server does not answer).
        """
        return await asyncio.to_thread(self._bind, username, password)

    async def groups_of(self, username: str) -> frozenset[str]:
        """Return the names of somebody's groups.

        Raises: ldap3.core.exceptions.LDAPException.
        """
        at, groups = self._groups.get(username, (float("-inf"), frozenset()))
        if time.monotonic() - at > REMEMBERED:
            groups = await asyncio.to_thread(self._search, username)
            self._groups[username] = time.monotonic(), groups
        return groups

    def _server(self) -> ldap3.Server:
        return ldap3.Server(self.settings.server, connect_timeout=self.settings.timeout, get_info=ldap3.NONE)

    def _dn(self, username: str) -> str:
        return self.settings.user.replace("{username}", escape_rdn(username))

    def _bind(self, username: str, password: str) -> bool:
        # A server takes a bind without a password for an anonymous one, and says yes.
        if not username or not password:
            return False
        timeout = self.settings.timeout
        connection = ldap3.Connection(self._server(), self._dn(username), password, receive_timeout=timeout)
        try:
            return bool(connection.bind())
        finally:
            connection.unbind()

    def _search(self, username: str) -> frozenset[str]:
        member = f"(member={escape_filter_chars(self._dn(username))})"
        with ldap3.Connection(self._server(), auto_bind=True, receive_timeout=self.settings.timeout) as connection:
            connection.search(self.settings.groups, member, attributes=["cn"])
            return frozenset(str(entry.cn) for entry in connection.entries)


class LdapAuthenticator(Authenticator):
    """Knows whom the directory knows; others are left to other authenticators."""

    name = "ldap"
    accepts = frozenset({Password})

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def authenticate(self, credential: Credential) -> Principal | None:
        """Return who can bind with this password; the directory tells nobody whether the name exists."""
        if not isinstance(credential, Password):
            return None
        if not await self._directory.knows(credential.username, credential.password):
            raise CredentialRejected("the directory refused it")
        return Principal(kind="user", id=PREFIX + credential.username, name=credential.username)


class LdapAuthoriser(Authoriser):
    """Decides about people from the directory, by their groups; about others it says nothing."""

    name = "ldap"

    def __init__(self, directory: Directory) -> None:
        self._directory = directory

    async def decide(self, principal: Principal, action: str, resource: str | None) -> Decision:
        """Return ALLOW if one of the groups may, DENY if none does."""
        if principal.kind != "user" or not principal.id.startswith(PREFIX):
            return Decision.ABSTAIN
        may = self._directory.settings.may
        groups = await self._directory.groups_of(principal.id.removeprefix(PREFIX))
        patterns = [pattern for group in groups for pattern in may.get(group, ())]
        return Decision.ALLOW if any(fnmatchcase(action, pattern) for pattern in patterns) else Decision.DENY


@hookimpl
def register_authenticators(ctx: PluginContext) -> Iterable[Authenticator]:
    settings = ctx.settings(Settings)
    return [LdapAuthenticator(Directory(settings))] if settings.server else []


@hookimpl
def register_authorisers(ctx: PluginContext) -> Iterable[Authoriser]:
    settings = ctx.settings(Settings)
    return [LdapAuthoriser(Directory(settings))] if settings.server else []
