"""The network between links and servers: held connections that keep order, and polls of which each may go astray."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

from plumber_core.errors import PlumberError
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
from plumber_core.protocol.peer import Disconnected, PeerError
from plumber_core.testing.simulator.faults import Faults
from plumber_core.testing.simulator.loop import Process, VirtualLoop, check_alive

if TYPE_CHECKING:
    from plumber_core.testing.simulator.server import SimulatedServer

RESENT_AFTER = 0.4
ANSWERED_WITHIN = (4.0, 30.0)
Answer = Callable[[Any, BaseException | None], None]


class Network:
    """Who cannot reach whom now."""

    def __init__(self, loop: VirtualLoop, faults: Faults) -> None:
        self.loop, self.faults = loop, faults
        self.blocked: dict[tuple[str, str], float] = {}
        self._count = 0

    def count(self) -> int:
        """Return the number of a new connection."""
        self._count += 1
        return self._count

    def partition(self, source: str, target: str, seconds: float) -> None:
        """Let nothing pass from one to the other for a while."""
        self.blocked[source, target] = self.loop.time() + seconds

    def blocks(self, source: str, target: str) -> bool:
        """Say whether nothing passes."""
        return self.faults.active and self.blocked.get((source, target), 0.0) > self.loop.time()


class _Calls:
    """The verbs of a peer, each by ``_call``."""

    async def _call(self, method: str, message: Any) -> Any:
        raise NotImplementedError

    async def hello(self, message: Hello) -> Welcome:
        answer: Welcome = await self._call("hello", message)
        return answer

    async def renew(self, message: Renew) -> Renewed:
        answer: Renewed = await self._call("renew", message)
        return answer

    async def start(self, message: Start) -> Permit:
        answer: Permit = await self._call("start", message)
        return answer

    async def report(self, message: Report) -> Reported:
        answer: Reported = await self._call("report", message)
        return answer

    async def never_ran(self, message: NeverRan) -> None:
        await self._call("never_ran", message)

    async def append(self, chunk: LogChunk) -> LogEnd:
        answer: LogEnd = await self._call("append", chunk)
        return answer


class _Way:
    """One direction of a held connection: nothing overtakes, what is lost is sent again."""

    def __init__(self, network: Network, ends: tuple[str, str], target: Process, held: HeldPeer) -> None:
        self._network, self._ends, self._target, self._held = network, ends, target, held
        self._queue: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._at = 0.0

    def send(self, work: Callable[..., None], *arguments: Any) -> None:
        loop = self._network.loop
        self._queue.append((work, arguments))
        self._at = max(self._at, loop.time() + self._network.faults.network_delay())
        loop.call_at(self._at, self._arrive, context=self._target.context.copy())

    def _arrive(self) -> None:
        if self._held.over:
            return
        if self._network.blocks(*self._ends):
            context = self._target.context.copy()
            self._network.loop.call_later(RESENT_AFTER, self._arrive, context=context)
            return
        work, arguments = self._queue.popleft()
        work(*arguments)


class HeldPeer(_Calls):
    """A held connection, as a WebSocket is one. Implements ``protocol.peer.Peer`` in the link."""

    def __init__(self, network: Network, machine: str, link: Process, server: SimulatedServer, agent: str) -> None:
        self.over = False
        self.number = network.count()
        self._network, self._link, self._server = network, link, server
        self._up = _Way(network, (machine, server.name), server.process, self)
        self._down = _Way(network, (server.name, machine), link, self)
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._number = 0
        self._pushed: asyncio.Queue[Delivery | None] = asyncio.Queue()
        self._peer = server.new_peer(agent)
        server.process.spawn(self._pump())
        server.held.add(self)

    async def _pump(self) -> None:
        async for delivery in self._peer.deliveries():
            self._down.send(self._pushed.put_nowait, delivery)
        self._down.send(self._ended)

    async def _call(self, method: str, message: Any) -> Any:
        check_alive()
        if self.over:
            raise Disconnected("the connection is over")
        self._number += 1
        number = self._number
        self._waiting[number] = future = asyncio.get_running_loop().create_future()
        self._up.send(self._handle, number, method, message)
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    def _handle(self, number: int, method: str, message: Any) -> None:
        def answer(value: Any, error: BaseException | None) -> None:
            self._down.send(self._answered, number, value, error)

        self._server.process.spawn(self._server.serve(self._peer, method, message, answer))

    def _answered(self, number: int, value: Any, error: BaseException | None) -> None:
        future = self._waiting.get(number)
        if future is not None and not future.done():
            settle(future, value, error)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while (delivery := await self._pushed.get()) is not None:
            yield delivery
        self._pushed.put_nowait(None)

    async def close(self) -> None:
        check_alive()
        self.cut()

    def cut(self) -> None:
        """End the connection for both, with whatever is on its way."""
        if self.over:
            return
        self.over = True
        self._server.held.discard(self)
        loop, faults = self._network.loop, self._network.faults
        loop.call_later(faults.network_delay(), self._ended, context=self._link.context.copy())
        loop.call_later(faults.network_delay(), self._hang_up, context=self._server.process.context.copy())

    def _hang_up(self) -> None:
        self._server.process.spawn(self._peer.close())

    def _ended(self) -> None:
        self.over = True
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(Disconnected("the connection broke"))
        self._pushed.put_nowait(None)


class PollingPeer(_Calls):
    """Requests of their own, as the long poll makes them: each may be lost, doubled, late, or have no answer."""

    def __init__(self, network: Network, machine: str, link: Process, server: SimulatedServer, agent: str) -> None:
        self._network, self._machine, self._link = network, machine, link
        self._server, self._agent = server, agent
        self._patience = network.faults.chance.uniform(*ANSWERED_WITHIN)
        self._pushed: asyncio.Queue[Delivery | None] = asyncio.Queue()
        self._closed = False

    async def _call(self, method: str, message: Any) -> Any:
        check_alive()
        network, faults = self._network, self._network.faults
        if not self._server.process.alive:
            await asyncio.sleep(faults.network_delay())
            raise Disconnected("connection refused")
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        for _ in range(1 + faults.happens("duplicate")):
            if not faults.happens("drop") and not network.blocks(self._machine, self._server.name):
                context = self._server.process.context.copy()
                network.loop.call_later(faults.network_delay(), self._handle, method, message, future, context=context)
        try:
            async with asyncio.timeout(self._patience):
                return await future
        except TimeoutError:
            raise Disconnected("no answer") from None

    def _handle(self, method: str, message: Any, future: asyncio.Future[Any]) -> None:
        def answer(value: Any, error: BaseException | None) -> None:
            if not self._lost():
                delay = self._network.faults.network_delay()
                context = self._link.context.copy()
                self._network.loop.call_later(delay, _settle_once, future, value, error, context=context)

        self._server.process.spawn(self._server.serve_polled(self._agent, method, message, answer, self._push))

    def _lost(self) -> bool:
        return self._network.faults.happens("drop") or self._network.blocks(self._server.name, self._machine)

    def _push(self, delivery: Delivery) -> None:
        """Carry what the server has for this agent: an answer to its poll, which may be lost too."""
        if not self._lost():
            delay = self._network.faults.network_delay()
            context = self._link.context.copy()
            self._network.loop.call_later(delay, self._pushed.put_nowait, delivery, context=context)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while (delivery := await self._pushed.get()) is not None:
            yield delivery

    async def close(self) -> None:
        self._closed = True


def settle(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    """Answer a call."""
    if error is None:
        future.set_result(value)
    elif isinstance(error, PeerError | PlumberError):
        future.set_exception(error)
    else:
        future.set_exception(Disconnected(f"the server failed: {error!r}"))


def _settle_once(future: asyncio.Future[Any], value: Any, error: BaseException | None) -> None:
    if not future.done():
        settle(future, value, error)
