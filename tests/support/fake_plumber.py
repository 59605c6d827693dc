"""A ``Plumber`` without an engine, for tests of the HTTP side: it records calls and answers as told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

from plumber_core.control.plane import operations
from plumber_core.errors import Forbidden, NotFound, Unauthenticated
from plumber_core.model.views import Event, LogGrowth, LogSlice, Position, Principal
from plumber_core.plugins.manager import PluginManager
from plumber_core.plugins.settings import PluginSettings
from plumber_core.protocol import messages as m
from plumber_core.protocol.frames import whole_length
from plumber_core.protocol.peer import Refused, SessionOver

PERSON, AGENT = "plm_person", "plm_agent"
ALICE = Principal(kind="user", id="u1", name="alice")


class FakePeer:
    """One agent's connection; ``replies`` by method, ``push`` delivers."""

    def __init__(self) -> None:
        self.calls: list[Any] = []
        self.replies: dict[str, Any] = {}
        self.gates: dict[str, asyncio.Event] = {}
        self.ends: dict[str, int] = {}
        self.closed = False
        self._queue: asyncio.Queue[Any] = asyncio.Queue()

    async def _take(self, method: str, message: Any) -> Any:
        self.calls.append(message)
        if method in self.gates:
            await self.gates[method].wait()
        reply = self.replies.get(method)
        if isinstance(reply, Exception):
            raise reply
        return reply

    async def hello(self, message: m.Hello) -> Any:
        return await self._take("hello", message) or m.Welcome("ok", 1, session="s1", agent="a1", name="web-1")

    async def renew(self, message: m.Renew) -> Any:
        if message.session != "s1":
            raise SessionOver()
        return await self._take("renew", message) or m.Renewed(1, 1.0)

    async def start(self, message: m.Start) -> Any:
        return await self._take("start", message) or m.Permit("go")

    async def report(self, message: m.Report) -> Any:
        return await self._take("report", message) or m.Reported("recorded", 7)

    async def never_ran(self, message: m.NeverRan) -> None:
        await self._take("never_ran", message)

    async def append(self, chunk: m.LogChunk) -> m.LogEnd:
        await self._take("append", chunk)
        end = chunk.offset + len(chunk.data)
        self.ends[chunk.attempt] = end
        return m.LogEnd(chunk.attempt, end)

    def push(self, delivery: Any) -> None:
        self._queue.put_nowait(delivery)

    async def deliveries(self) -> AsyncIterator[Any]:
        if not any(isinstance(message, m.Hello) for message in self.calls):
            return
        while (delivery := await self._queue.get()) is not None:
            yield delivery

    async def close(self) -> None:
        self.closed = True
        self._queue.put_nowait(None)


class _Noun:
    def __init__(self, plane: FakePlane, attribute: str) -> None:
        self._plane, self._attribute = plane, attribute

    def __getattr__(self, method: str) -> Any:
        names = {(o.attribute, o.method): o for o in operations().values()}
        operation = names[self._attribute, method]

        async def call(**values: Any) -> Any:
            if self._plane.principal is None and not operation.public:
                raise Unauthenticated()
            self._plane.plumber.calls.append((operation.name, values))
            answer = self._plane.plumber.answers[operation.name]
            if isinstance(answer, Exception):
                raise answer
            return answer(values) if callable(answer) else answer

        return call


class FakePlane:
    """Every noun, bound to a principal."""

    def __init__(self, plumber: FakePlumber, principal: Principal | None) -> None:
        self.plumber, self.principal = plumber, principal

    def __getattr__(self, attribute: str) -> _Noun:
        return _Noun(self, attribute)

    async def read_log(
        self,
        attempt: str,
        offset: int = 0,
        limit: int = 1024 * 1024,
        *,
        line: int | None = None,
        tail: int | None = None,
    ) -> LogSlice:
        if attempt not in self.plumber.logs:
            raise NotFound(kind="attempt", name=attempt, nearest=None)
        log = self.plumber.logs[attempt]
        data = log[offset : offset + limit]
        self.plumber.largest_read = max(self.plumber.largest_read, len(data))
        return LogSlice(attempt=attempt, offset=offset, data=data[: whole_length(data)], end=len(log), complete=True)

    async def follow(
        self, *, execution: str | None = None, after: str | None = None
    ) -> AsyncIterator[Event | LogGrowth]:
        async for items in self.feed(execution=execution, after=after):
            for item in items:
                if not isinstance(item, Position):
                    yield item

    async def feed(
        self, *, execution: str | None = None, after: str | None = None
    ) -> AsyncIterator[list[Position | Event | LogGrowth]]:
        if execution == "missing":
            raise NotFound(kind="execution", name=execution, nearest=None)
        yield [Position(cursor=after or "0000")]
        self.plumber.followed.append((execution, after))
        for event in self.plumber.events:
            if isinstance(event, Event) and after is not None and event.id <= after:
                continue
            yield [event]
        await self.plumber.stopped.wait()


@dataclass
class FakeOriginal:
    """What the engine offers to the original's agents."""

    plumber: FakePlumber
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    task: dict[str, Any] | None = None

    def _check(self, token: str, agent: str) -> None:
        if token != AGENT:
            raise Unauthenticated()
        if agent not in ("a1", ""):
            raise Forbidden(action="agent:" + agent)

    async def register(self, token: str, agent_id: str, hostname: str, ip: str) -> None:
        self._check(token, agent_id)
        self.calls.append(("register", agent_id, hostname, ip))

    async def heartbeat(self, token: str, agent_id: str) -> None:
        self._check(token, agent_id)
        self.calls.append(("heartbeat", agent_id))

    async def poll(self, token: str, agent_id: str) -> dict[str, Any] | None:
        self._check(token, agent_id)
        return self.task

    async def report(self, token: str, step_id: str, status: str, exit_code: int | None, output: str) -> None:
        self._check(token, "")
        self.calls.append(("report", step_id, status, exit_code, output))


class FakePlumber:
    """Knows one person (``PERSON``) and one agent (``AGENT``)."""

    is_open = True
    first_password: str | None = None

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.answers: dict[str, Any] = {"session.whoami": ALICE}
        self.logs: dict[str, bytes] = {}
        self.largest_read = 0
        self.events: list[Event | LogGrowth] = []
        self.followed: list[tuple[str | None, str | None]] = []
        self.stopped = asyncio.Event()
        self.peers: list[FakePeer] = []
        self.revoked: set[str] = set()
        self.healthy = True
        self.original = FakeOriginal(self)
        self.plugins = SimpleNamespace(manager=PluginManager(PluginSettings()))
        self.addresses: list[str] = []

    async def __aenter__(self) -> FakePlumber:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    async def authenticate(self, token: str) -> Principal:
        if token != PERSON or token in self.revoked:
            raise Unauthenticated()
        return ALICE

    def acting_as(self, principal: Principal, *, token: str | None = None, address: str = "") -> FakePlane:
        self.addresses.append(address)
        return FakePlane(self, principal)

    def anonymous(self, *, address: str = "") -> FakePlane:
        return FakePlane(self, None)

    async def agent_peer(self, token: str) -> FakePeer:
        if token != AGENT or token in self.revoked:
            raise Refused()
        self.peers.append(FakePeer())
        return self.peers[-1]

    async def ready(self) -> bool:
        return self.healthy

    def metrics(self) -> dict[str, float]:
        return {"plumber_steps_dispatched_total": 3, "plumber_agents_online": 2}

    async def drain(self) -> None:
        self.stopped.set()
        for peer in self.peers:
            peer.push(m.Goodbye(1.0))
            peer.push(None)
