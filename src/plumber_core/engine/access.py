"""Who may call: logins, tokens, agents' credentials. Secrets are stored hashed; the secret itself is shown once."""

from __future__ import annotations

import time
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Literal

from plumber_core.builtin.passwords import hash_password
from plumber_core.engine.core import Engine
from plumber_core.errors import InvalidRequest, RateLimited, Unauthenticated, WrongPassword
from plumber_core.ids import new_secret, secret_hash
from plumber_core.model.limits import SESSION_LIFETIME
from plumber_core.model.records import CredentialRow
from plumber_core.model.views import Principal
from plumber_core.plugins.contracts.authenticator import Bearer, Password
from plumber_core.plugins.contracts.identity import TokenRecord, UserRecord
from plumber_core.plugins.registry import PluginRegistry
from plumber_core.ports import Store
from plumber_core.protocol.peer import Refused
from plumber_core.reasons import because

MIN_PASSWORD = 12
MAX_PASSWORD = 1024
REMEMBERED = 1.0
"""How long an answer to "whose token is this" is reused, in seconds: a revoked one is refused within it."""


class Identities:
    """What the built-in authenticators see of the store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def find_user(self, username: str) -> UserRecord | None:
        """Return a user by name."""
        row = await self._store.find_user(username)
        return UserRecord(row.id, row.username, row.password_hash) if row else None

    async def find_token(self, digest: str) -> TokenRecord | None:
        """Return a live session or API token by its hash; agents' credentials are never found here."""
        row = await self._store.find_credential(digest)
        if row is None or row.kind not in ("session", "token"):
            return None
        kind: Literal["session", "api"] = "session" if row.kind == "session" else "api"
        # People whom another authenticator knows have sessions, but no account here.
        return TokenRecord(row.id, kind, row.name, row.owner, row.username or row.name)


@dataclass
class Bucket:
    """A token bucket: ``burst`` tries at once, then one each ``interval`` seconds."""

    burst: float
    interval: float
    left: float = field(default=0.0)
    seen: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.left = self.burst

    def take(self, now: float) -> float:
        """Take one; return 0, or how many seconds to wait."""
        self.left = min(self.burst, self.left + (now - self.seen) / self.interval)
        self.seen = now
        if self.left < 1:
            return (1 - self.left) * self.interval
        self.left -= 1
        return 0.0


class LoginLimit:
    """Slows guessing, by account and by address, before a password costs anything. Nobody is locked out for good."""

    ACCOUNT = (10.0, 6.0)
    ADDRESS = (30.0, 2.0)
    ENROLMENT = (200.0, 0.5)
    KEPT = 10_000

    def __init__(self) -> None:
        self._buckets: OrderedDict[str, Bucket] = OrderedDict()

    def check(self, username: str, address: str) -> None:
        """Count a try.

        Raises:
            RateLimited: too many.
        """
        self._take(f"user:{username}", self.ACCOUNT)
        if address:
            self._take(f"from:{address}", self.ADDRESS)

    def succeeded(self, username: str, address: str) -> None:
        """Give back what ``check`` took: who knows the password is not guessing, however often they log in."""
        for key, shape in ((f"user:{username}", self.ACCOUNT), (f"from:{address}", self.ADDRESS)):
            if key in self._buckets:
                self._buckets[key].left = min(shape[0], self._buckets[key].left + 1)

    def check_enrolment(self, address: str) -> None:
        """Count a try to enrol: its token cannot be guessed, but an address must not flood.

        Raises:
            RateLimited: too many.
        """
        self._take(f"enrol:{address}", self.ENROLMENT)

    def _take(self, key: str, shape: tuple[float, float]) -> None:
        wait = self._bucket(key, shape).take(time.monotonic())
        if wait > 0:
            raise RateLimited(retry_after=round(wait) + 1)

    def _bucket(self, key: str, shape: tuple[float, float]) -> Bucket:
        if key not in self._buckets:
            self._buckets[key] = Bucket(*shape)
        self._buckets.move_to_end(key)
        while len(self._buckets) > self.KEPT:
            self._buckets.popitem(last=False)
        return self._buckets[key]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who makes a call. ``token_hash`` names our own credential, so that a hot write can check it again."""

    principal: Principal
    token_hash: str | None = None
    address: str = ""


class Access:
    """Logins and tokens over the plugins' authenticators."""

    def __init__(self, engine: Engine, plugins: PluginRegistry) -> None:
        self._engine = engine
        self._plugins = plugins
        self._limit = LoginLimit()
        self._known: OrderedDict[str, tuple[float, Principal]] = OrderedDict()

    async def principal(self, token: str) -> Principal:
        """Return whose bearer token this is.

        Raises: Unauthenticated, Unavailable.
        """
        digest, now = secret_hash(token), time.monotonic()
        known = self._known.get(digest)
        if known is not None and now - known[0] < REMEMBERED:
            return known[1]
        principal = await self._plugins.authenticate(Bearer(token))
        self._known[digest] = (now, principal)
        while len(self._known) > 1000:
            self._known.popitem(last=False)
        return principal

    def forget_tokens(self) -> None:
        """A credential was revoked here: ask the database again."""
        self._known.clear()

    async def login(self, username: str, password: str, address: str) -> tuple[str, CredentialRow, Principal]:
        """Exchange a password for a session token.

        Raises: WrongPassword, RateLimited, Unavailable.
        """
        self._limit.check(username, address)
        if len(password) > MAX_PASSWORD or "\0" in username:
            raise WrongPassword
        principal = await self._plugins.authenticate(Password(username, password))
        self._limit.succeeded(username, address)
        token = new_secret("session")
        row = await self._engine.store.add_credential(
            "session", principal.id, secret_hash(token), name=principal.name, seconds=SESSION_LIFETIME, data={}
        )
        return token, row, principal

    async def change_password(self, caller: Caller, current: str, new: str) -> None:
        """Change the caller's password and end all other sessions.

        Raises: WrongPassword, RateLimited, InvalidRequest.
        """
        self._limit.check(caller.principal.name, caller.address)
        if not MIN_PASSWORD <= len(new) <= MAX_PASSWORD:
            raise InvalidRequest(field="new", reason=because("bad_password", least=MIN_PASSWORD, most=MAX_PASSWORD))
        user = await self._plugins.authenticate(Password(caller.principal.name, current))
        if user.id != caller.principal.id:
            raise WrongPassword
        row = await self._engine.store.find_credential(caller.token_hash) if caller.token_hash else None
        await self._engine.store.set_password(user.id, await hash_password(new), row.id if row else None)
        self.forget_tokens()

    def limit_enrolment(self, address: str) -> None:
        """Count a try to enrol.

        Raises: RateLimited.
        """
        self._limit.check_enrolment(address)


async def agent_of(engine: Engine, token: str) -> str:
    """Return the agent whose lasting credential this is; its first use ends the older ones.

    Raises:
        Refused: nobody's, revoked, or not an agent's.
    """
    row = await engine.store.find_credential(secret_hash(token))
    if row is None or row.kind != "agent":
        raise Refused("this agent's credential is not accepted")
    if row.last_used_at is None:
        await engine.store.touch_agent_credential(row.id, row.owner)
    return row.owner


def require_user(caller: Caller) -> str:
    """Return the id of the user who makes a call.

    Raises:
        Unauthenticated: it is not a user.
    """
    if caller.principal.kind not in ("user", "token"):
        raise Unauthenticated
    return caller.principal.id
