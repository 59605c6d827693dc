"""``Peer``: the control plane as an agent sees it.

Implemented three times: by the engine in-process, over a held WebSocket and by long poll; one conformance suite runs
over all of them. One ``Peer`` is one connection of one authenticated agent. After ``Disconnected`` it is dead: make a
new one and say hello again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable
from typing import Protocol

from plumber_core.protocol.messages import (
    Delivery,
    Hello,
    LogChunk,
    LogEnd,
    NeverRan,
    Permit,
    Renew,
    Renewed,
    Report,
    Reported,
    Start,
    Welcome,
)


class PeerError(Exception):
    """Root of what a peer raises."""


class Disconnected(PeerError):
    """The other end cannot be reached or went away; nothing is known about what was in flight. Try again later."""


class SessionOver(PeerError):
    """The session is not current, or the epoch moved on: say hello again (on this connection)."""


class Refused(PeerError):
    """The credential is not accepted: revoked, deleted or wrong. Trying again does not help."""


class Peer(Protocol):
    """Every call is idempotent: a reply may be lost, the same call may be made again."""

    async def hello(self, message: Hello) -> Welcome:
        """Open a session."""
        ...

    async def renew(self, message: Renew) -> Renewed:
        """Heartbeat with the full inventory."""
        ...

    async def start(self, message: Start) -> Permit:
        """Ask for leave to start an attempt that came without a permit."""
        ...

    def report(self, message: Report) -> Awaitable[Reported]:
        """Report how an attempt ended. A transport that can sends it at once, awaited or not."""
        ...

    async def never_ran(self, message: NeverRan) -> None:
        """Give an attempt back, with proof."""
        ...

    async def append(self, chunk: LogChunk) -> LogEnd:
        """Append log bytes; the answer is the server's durable end, whatever was sent. Several may be in flight."""
        ...

    def deliveries(self) -> AsyncIterator[Delivery]:
        """Yield what the server pushes; ends when the connection does."""
        ...

    async def close(self) -> None:
        """Close the connection; never raises."""
        ...
