"""Peers of agents that poll: kept between requests, by credential and session."""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque

from litestar.types import Receive

from plumber_core.protocol.messages import Delivery
from plumber_core.protocol.peer import Peer, PeerError, SessionOver

IDLE = 60.0
"""Seconds without a request after which a peer is closed."""


class PolledPeer:
    """One peer and what it was sent since the last poll."""

    def __init__(self, peer: Peer) -> None:
        self.peer = peer
        self.users = 0
        self.over = False
        self._waiting: deque[Delivery] = deque()
        self._news = asyncio.Event()
        self._pump = asyncio.create_task(self._listen())

    async def _listen(self) -> None:
        try:
            async for delivery in self.peer.deliveries():
                self._waiting.append(delivery)
                self._news.set()
        except PeerError:
            pass
        finally:
            self.over = True
            self._news.set()

    async def poll(self, wait: float, receive: Receive) -> list[Delivery]:
        """Return what arrived, after at most ``wait`` seconds; a client that hung up takes nothing with it."""
        if not self._news.is_set() and not await self._wait(wait, receive):
            return []
        taken = list(self._waiting)
        self._waiting.clear()
        if not self.over:
            self._news.clear()
        return taken

    async def _wait(self, wait: float, receive: Receive) -> bool:
        """Say whether the client is still there when something arrived or the time is up."""
        news = asyncio.create_task(self._news.wait())
        gone = asyncio.create_task(hung_up(receive))
        try:
            await asyncio.wait({news, gone}, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
            return not gone.done()
        finally:
            news.cancel()
            gone.cancel()

    async def close(self) -> None:
        """Stop listening."""
        self._pump.cancel()
        await asyncio.gather(self._pump, return_exceptions=True)
        await self.peer.close()


async def hung_up(receive: Receive) -> None:
    """Return when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


Key = tuple[str, str]


class Polls:
    """All polled peers of this process."""

    def __init__(self) -> None:
        self._peers: dict[Key, PolledPeer] = {}
        self._timers: dict[Key, asyncio.TimerHandle] = {}
        self._closing: set[asyncio.Task[None]] = set()

    def know(self, token: str) -> bool:
        """Say whether this credential was accepted for a peer that still lives."""
        digest = _digest(token)
        return any(key[0] == digest and not held.over for key, held in self._peers.items())

    def find(self, token: str, session: str) -> PolledPeer:
        """Return the peer of a session.

        Raises: SessionOver (ended, or begun before this process).
        """
        key = (_digest(token), session)
        held = self._peers.get(key)
        if held is None or held.over:
            self._drop(key)
            raise SessionOver("the session is not current")
        self._touch(key)
        return held

    def keep(self, token: str, session: str, peer: Peer) -> PolledPeer:
        """Keep a peer for the next requests of its session."""
        key = (_digest(token), session)
        self._drop(key)
        for older in [other for other in self._peers if other[0] == key[0] and self._peers[other].over]:
            self._drop(older)
        self._peers[key] = held = PolledPeer(peer)
        self._touch(key)
        return held

    def forget(self, token: str) -> None:
        """Drop every peer of a credential that was refused."""
        digest = _digest(token)
        for key in [key for key in self._peers if key[0] == digest]:
            self._drop(key)

    def _touch(self, key: Key) -> None:
        if key in self._timers:
            self._timers[key].cancel()
        self._timers[key] = asyncio.get_running_loop().call_later(IDLE, self._expire, key)

    def _expire(self, key: Key) -> None:
        if self._peers[key].users:
            self._touch(key)
        else:
            self._drop(key)

    def _drop(self, key: Key) -> None:
        held = self._peers.pop(key, None)
        if held is None:
            return
        self._timers.pop(key).cancel()
        task = asyncio.create_task(held.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def close(self) -> None:
        """Close every peer."""
        for key in list(self._peers):
            self._drop(key)
        await asyncio.gather(*self._closing, return_exceptions=True)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
