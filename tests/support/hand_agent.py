"""An agent without hands or a will: over the real WebSocket it does what it is told, and nothing else."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from typing import Any, Self

from plumber_agent.address import ServerAddress
from plumber_agent.ws_peer import WsPeer
from plumber_core.protocol.frames import STDOUT, encode_frame
from plumber_core.protocol.messages import Assignment, Delivery, Hello, LogChunk, Outcome, Renew, Report, Welcome

BOOT = str(uuid.uuid4())


async def greet(url: str, token: str) -> tuple[WsPeer, Welcome]:
    """Open a session over the real WebSocket and send its first heartbeat."""
    peer = await WsPeer.connect(ServerAddress.parse(url), token)
    welcome = await peer.hello(Hello(1, token, BOOT, None, "test"))
    if welcome.status == "epoch":
        welcome = await peer.hello(Hello(1, token, BOOT, welcome.epoch, "test"))
    assert welcome.status == "ok", welcome
    await peer.renew(Renew(welcome.session, 1, welcome.epoch))
    return peer, welcome


@dataclass
class HandAgent:
    """One connected agent, with the log's end of each attempt that it appends to."""

    peer: WsPeer
    session: str
    epoch: int
    given: AsyncIterator[Delivery]
    ends: dict[str, int] = field(default_factory=dict)

    @classmethod
    async def connect(cls, url: str, token: str) -> Self:
        """Connect, say hello and ask for work."""
        peer, welcome = await greet(url, token)
        return cls(peer, welcome.session, welcome.epoch, peer.deliveries())

    async def take(self) -> str:
        """Wait for the next assignment and return its attempt."""
        async for delivery in self.given:
            if isinstance(delivery, Assignment):
                return delivery.attempt
        raise ConnectionError("the server has hung up")

    async def append(self, attempt: str, data: bytes) -> None:
        """Append whole frames to an attempt's log and wait until they are durable."""
        begin = self.ends.get(attempt, 0)
        self.ends[attempt] = begin + len(data)
        answer = await self.peer.append(LogChunk(self.session, attempt, begin, data))
        assert answer.end >= begin + len(data), answer

    async def append_all(self, attempt: str, chunks: Iterable[bytes], window: int = 2) -> None:
        """Append many chunks, ``window`` of them on their way at once, as agents do."""
        flying: list[asyncio.Task[None]] = []
        for chunk in chunks:
            flying.append(asyncio.create_task(self.append(attempt, chunk)))
            if len(flying) >= window:
                await flying.pop(0)
        await asyncio.gather(*flying)

    async def report(self, attempt: str, state: Any = "succeeded", output: bytes = b"") -> str | None:
        """Say how an attempt ended; return the next one when the answer brings it."""
        tail = encode_frame(STDOUT, 1, output) if output else b""
        end = self.ends.pop(attempt, 0)
        code = 0 if state == "succeeded" else 1
        outcome = Outcome(state, code, log_end=end + len(tail), duration=0.5)
        answer = await self.peer.report(Report(self.session, attempt, outcome, self.epoch, end, tail))
        return answer.next.attempt if answer.next else None

    async def work(self, states: Iterable[str], output: bytes = b"done\n") -> None:
        """Take one step after another and end each as told."""
        following: str | None = None
        for state in states:
            following = await self.report(following or await self.take(), state, output)

    async def close(self) -> None:
        """Hang up."""
        await self.peer.close()


async def in_turns(work: Iterable[Any], at_once: int = 24) -> None:
    """Await coroutines, some at a time, in order."""
    waiting = iter(work)

    async def take_turns() -> None:
        for one in waiting:
            await one

    await asyncio.gather(*(take_turns() for _ in range(at_once)))
