"""A control plane in memory behind ``Peer``: it stores what a server would, and does what the test says."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

from plumber_core.protocol.messages import (
    Assignment,
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
    StepSpec,
    Welcome,
)
from plumber_core.protocol.peer import Disconnected


def step(run: str = "true", **fields: Any) -> StepSpec:
    """Return a shell step."""
    return StepSpec("exe-1", "demo", "one", 0, "shell", {"run": run}, {}, **fields)


class ScriptedServer:
    """``seen`` holds every message in order. ``answers`` may hold a function for a kind of message, called before the
    usual answer; what it returns (not None) is the answer, what it raises is raised."""

    def __init__(self, *, heartbeat: float = 60.0, permit_ttl: float = 5.0) -> None:
        self.heartbeat = heartbeat
        self.permit_ttl = permit_ttl
        self.epoch, self.forgotten = 1, 0.0
        self.logs: dict[str, bytearray] = {}
        self.seen: list[Any] = []
        self.answers: dict[type, Callable[[Any], Any]] = {}
        self.peers: list[ScriptedPeer] = []
        self.reachable = True
        self.deliveries: tuple[Any, ...] = ()
        self._sessions = itertools.count(1)

    async def connect(self) -> ScriptedPeer:
        """Make a connection."""
        if not self.reachable:
            raise Disconnected("away")
        self.peers.append(ScriptedPeer(self))
        return self.peers[-1]

    @property
    def peer(self) -> ScriptedPeer:
        """The newest connection."""
        return self.peers[-1]

    def of(self, kind: type) -> list[Any]:
        """Return the messages of one kind, in order."""
        return [message for message in self.seen if isinstance(message, kind)]

    def push(self, delivery: Delivery) -> None:
        """Send something on the newest connection."""
        self.peer.queue.put_nowait(delivery)

    def assignment(self, attempt: str, spec: StepSpec | None = None, **fields: Any) -> Assignment:
        """Return an assignment of the newest session."""
        fields = {"session": self.peer.session, "beat": 1, "epoch": self.epoch, **fields}
        return Assignment(attempt, spec=spec or step(), **fields)

    def assign(self, attempt: str, spec: StepSpec | None = None, **fields: Any) -> Assignment:
        """Push an assignment of the newest session."""
        assignment = self.assignment(attempt, spec, **fields)
        self.push(assignment)
        return assignment

    def take(self, message: Any) -> Any:
        """Note a message and return its answer."""
        self.seen.append(message)
        special = self.answers.get(type(message))
        answer = special(message) if special else None
        return self._usual(message) if answer is None else answer

    def _usual(self, message: Any) -> Any:
        match message:
            case Hello():
                return self._welcome(message)
            case Renew():
                return Renewed(self.epoch, self.heartbeat)
            case Start():
                return Permit("go")
            case Report():
                self._store(message.attempt, message.tail_offset, message.tail)
                return Reported("recorded", len(self.logs.get(message.attempt, b"")))
            case LogChunk():
                self._store(message.attempt, message.offset, message.data)
                return LogEnd(message.attempt, len(self.logs.get(message.attempt, b"")))
        return None

    def _welcome(self, message: Hello) -> Welcome:
        if message.epoch != self.epoch:
            return Welcome("epoch", self.epoch, forgotten=self.forgotten)
        session, times = f"session-{next(self._sessions)}", (self.heartbeat, self.permit_ttl)
        return Welcome("ok", self.epoch, session, "agent-1", "alpha", *times, deliveries=self.deliveries)

    def _store(self, attempt: str, offset: int, data: bytes) -> None:
        log = self.logs.setdefault(attempt, bytearray())
        if offset <= len(log) < offset + len(data):
            log += data[len(log) - offset :]


class ScriptedPeer:
    """One connection. ``hold`` makes appends wait until it is set."""

    def __init__(self, server: ScriptedServer) -> None:
        self.server = server
        self.session = ""
        self.queue: asyncio.Queue[Delivery | None] = asyncio.Queue()
        self.broken = False
        self.closed = False
        self.hold: asyncio.Event | None = None

    def break_off(self) -> None:
        """Lose the connection."""
        self.broken = True
        self.queue.put_nowait(None)

    async def _send(self, message: Any) -> Any:
        if self.broken:
            raise Disconnected("broken")
        await asyncio.sleep(0)
        answer = self.server.take(message)
        if self.broken:
            raise Disconnected("broken")
        return answer

    async def hello(self, message: Hello) -> Welcome:
        answer: Welcome = await self._send(message)
        self.session = answer.session
        return answer

    async def renew(self, message: Renew) -> Renewed:
        answer: Renewed = await self._send(message)
        return answer

    async def start(self, message: Start) -> Permit:
        answer: Permit = await self._send(message)
        return answer

    async def report(self, message: Report) -> Reported:
        answer: Reported = await self._send(message)
        return answer

    async def never_ran(self, message: NeverRan) -> None:
        await self._send(message)

    async def append(self, chunk: LogChunk) -> LogEnd:
        if self.hold is not None:
            self.server.seen.append(chunk)
            await self.hold.wait()
        answer: LogEnd = await self._send(chunk)
        return answer

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while (delivery := await self.queue.get()) is not None:
            yield delivery

    async def close(self) -> None:
        self.closed = True
