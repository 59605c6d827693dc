"""One simulated server process: the product's engine over the shared database."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

from plumber_core.engine.admission import admissions
from plumber_core.engine.claim import deliver
from plumber_core.engine.core import Engine
from plumber_core.engine.logs import LogWriter
from plumber_core.engine.peer import EnginePeer
from plumber_core.engine.pools import tell_here
from plumber_core.engine.reap import sweep, sweeps
from plumber_core.errors import PlumberError
from plumber_core.model.limits import Patience
from plumber_core.model.states import AGENT_EDGES, AgentState
from plumber_core.protocol.messages import Delivery, Goodbye
from plumber_core.protocol.peer import PeerError, SessionOver
from plumber_core.storage.store import SqlStore
from plumber_core.testing.simulator.database import ServerDatabase, SharedDatabase
from plumber_core.testing.simulator.faults import Faults
from plumber_core.testing.simulator.loop import Process, VirtualLoop
from plumber_core.testing.simulator.network import Answer, HeldPeer

PATIENCE = Patience(lease=6.0, lost_after=15.0, sweep_interval=4.0)
"""The server's patience here: shorter than in life, so that a seed sees all of it."""


class SimulatedServer:
    """A replica that can die and come back."""

    def __init__(
        self, loop: VirtualLoop, name: str, shared: SharedDatabase, faults: Faults, tokens: dict[str, str]
    ) -> None:
        self.loop, self.name, self._shared, self._faults, self._tokens = loop, name, shared, faults, tokens
        self.held: set[HeldPeer] = set()
        self.process: Process = Process(loop, name)
        self.process.alive = False
        self.ready = asyncio.Event()
        self.boot()

    def boot(self) -> None:
        """Start it, unless it lives."""
        if self.process.alive:
            return
        self.process = Process(self.loop, self.name)
        self.process.on_death = self._died
        self._polled: dict[str, EnginePeer] = {}
        self.ready = asyncio.Event()
        self.engine = self.process.context.run(self._make)
        self.process.spawn(self._work())

    def _make(self) -> Engine:
        engine = Engine(SqlStore(ServerDatabase(self._shared, self.process, self._faults)), PATIENCE)
        self._logs = LogWriter(engine)
        return engine

    async def _work(self) -> None:
        """What ``Plumber`` does when it opens."""
        engine = self.engine
        while True:
            with contextlib.suppress(PlumberError):
                await engine.store.open()
                engine.learn_epoch(await engine.store.epoch())
                await sweep(engine, 1)
                break
            await asyncio.sleep(1.0)
        engine.wakeups.on_agent = self._deliver
        engine.wakeups.on_pool = self._tell
        await engine.wakeups.greet()
        engine.spawn(self._logs.run(), "log writer")
        engine.spawn(engine.wakeups.relay(), "relay")
        engine.spawn(admissions(engine), "admissions")
        await engine.store.listen(engine.wakeups.heard)
        engine.spawn(sweeps(engine), "sweeps")
        self.ready.set()

    def _deliver(self, agent: str) -> None:
        if self.engine.connections.get(agent) is not None:
            self.engine.spawn(deliver(self.engine, agent, "notify"), "deliver")

    def _tell(self, pool: str) -> None:
        self.engine.spawn(tell_here(self.engine, pool), "pool")

    def _died(self) -> None:
        for held in sorted(self.held, key=lambda held: held.number):
            held.cut()

    @property
    def serving(self) -> bool:
        """Whether it takes connections."""
        return self.process.alive and self.ready.is_set()

    def new_peer(self, agent: str) -> EnginePeer:
        """Return the engine as an agent sees it."""
        return self.process.context.run(EnginePeer, self.engine, self._logs, agent, self._tokens[agent])

    async def decree(self, agent: str, state: AgentState) -> None:
        """Have an agent take no more steps, or take them again."""
        sources = [source for source, target in AGENT_EDGES if target is state]
        with contextlib.suppress(PlumberError):
            await self.engine.store.set_agent_state(agent, state, sources)
            if (connection := self.engine.connections.get(agent)) is not None:
                connection.accepts = state is AgentState.ACTIVE
                connection.backlog = True

    def say_goodbye(self) -> None:
        """Drain, as a server does before it stops."""
        for connection in self.engine.connections.all():
            connection.push(Goodbye(0.1))

    async def serve(self, peer: EnginePeer, method: str, message: Any, answer: Answer) -> None:
        """Carry out one message of an agent."""
        try:
            value = await getattr(peer, method)(message)
        except (PeerError, PlumberError) as error:
            answer(None, error)
        except Exception as error:
            self.loop.faults.append(error)
            answer(None, error)
        else:
            answer(value, None)

    async def serve_polled(
        self, agent: str, method: str, message: Any, answer: Answer, push: Callable[[Delivery], None]
    ) -> None:
        """Carry out one request; the session says whose it is."""
        if method == "hello":
            await self._greet(agent, message, answer, push)
        elif (peer := self._polled.get(message.session)) is None:
            answer(None, SessionOver("the session is not current"))
        else:
            await self.serve(peer, method, message, answer)

    async def _greet(self, agent: str, message: Any, answer: Answer, push: Callable[[Delivery], None]) -> None:
        peer = self.new_peer(agent)

        def keep(value: Any, error: BaseException | None) -> None:
            if error is None and value.session:
                self._polled[value.session] = peer
                self.process.spawn(self._pump(peer, push))
            answer(value, error)

        await self.serve(peer, "hello", message, keep)

    async def _pump(self, peer: EnginePeer, push: Callable[[Delivery], None]) -> None:
        async for delivery in peer.deliveries():
            push(delivery)
