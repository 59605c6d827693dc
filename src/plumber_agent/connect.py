"""Choosing how to reach the server: a held WebSocket, or long poll where none goes through."""

from __future__ import annotations

import itertools
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping

from plumber_agent.address import ServerAddress
from plumber_agent.held_socket import UpgradeRefused
from plumber_agent.ws_peer import WsPeer
from plumber_core.errors import MissingExtra
from plumber_core.protocol.peer import Peer

REFUSALS = 2
"""Upgrades refused in a row before long poll is used: one alone may be a proxy in the middle of a restart."""
POLL_FOR = 600.0
"""Seconds of long poll before a WebSocket is tried again."""
log = logging.getLogger("plumber.agent")


class AnyServer:
    """Makes connections to servers that share a database, each time to the next one."""

    def __init__(self, connectors: Iterable[Callable[[], Awaitable[Peer]]]) -> None:
        self._connectors = itertools.cycle(connectors)

    async def __call__(self) -> Peer:
        """Return a new connection.

        Raises:
            PeerError: there is none now.
        """
        return await next(self._connectors)()


class Connector:
    """Makes connections to one server for one agent; call it for each."""

    def __init__(
        self,
        address: ServerAddress,
        token: str,
        *,
        environment: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._address = address
        self._token = token
        self._clock = clock
        self._refused = 0
        self._poll_until = float("-inf")
        if needs_proxy(address, os.environ if environment is None else environment):
            log.info("A proxy is configured: using long poll.")
            self._poll_until = float("inf")

    async def __call__(self) -> Peer:
        """Return a new connection.

        Raises:
            PeerError: there is none now.
            MissingExtra: long poll is needed and httpx is not installed.
        """
        left = self._poll_until - self._clock()
        if left > 0:
            return self._poll(left)
        try:
            peer = await WsPeer.connect(self._address, self._token)
        except UpgradeRefused as error:
            self._refused += 1
            if self._refused < REFUSALS:
                raise
            log.warning("%s; using long poll for %d minutes.", error, POLL_FOR // 60)
            self._poll_until = self._clock() + POLL_FOR
            return self._poll(POLL_FOR)
        self._refused = 0
        return peer

    def _poll(self, lifetime: float) -> Peer:
        try:
            from plumber_agent.poll_peer import PollPeer
        except ModuleNotFoundError:
            raise MissingExtra(feature="long poll", extra="agent") from None
        return PollPeer(self._address, self._token, lifetime=lifetime)


def needs_proxy(address: ServerAddress, environment: Mapping[str, str]) -> bool:
    """Say whether the environment sends requests to this server through a proxy, which only httpx can use."""
    names = (f"{address.scheme}_proxy", "all_proxy")
    if address.loopback or not any(environment.get(name) or environment.get(name.upper()) for name in names):
        return False
    spared = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    entries = [entry.strip().lstrip(".").partition(":")[0] for entry in spared.split(",") if entry.strip()]
    return not any(entry == "*" or _within(address.host, entry) for entry in entries)


def _within(host: str, domain: str) -> bool:
    return host == domain or host.endswith(f".{domain}")
