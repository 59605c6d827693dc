"""One seed: two servers over one database, three agents, executions of ordered steps, faults, healing, judgement."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import logging
import random
from collections.abc import Iterator
from dataclasses import dataclass

from plumber_core import crash, ids
from plumber_core.engine import batches, going_on, pausing
from plumber_core.engine import cancel as cancelling
from plumber_core.engine import resume as resuming
from plumber_core.engine.source import Source
from plumber_core.engine.submit import Request, submit
from plumber_core.errors import Conflict, NotFound, PlumberError
from plumber_core.ids import secret_hash
from plumber_core.model.parts import TURN
from plumber_core.model.records import AgentRow
from plumber_core.model.states import AgentState
from plumber_core.storage.store import SqlStore
from plumber_core.testing.simulator import tasks, verdict
from plumber_core.testing.simulator.agent import SimulatedAgent
from plumber_core.testing.simulator.chaos import Chaos
from plumber_core.testing.simulator.commands import LENGTHS
from plumber_core.testing.simulator.database import ServerDatabase, SharedDatabase
from plumber_core.testing.simulator.disk import SimulatedDisk
from plumber_core.testing.simulator.faults import Faults, draw
from plumber_core.testing.simulator.loop import Process, VirtualLoop
from plumber_core.testing.simulator.machine import SimulatedMachine
from plumber_core.testing.simulator.network import Network
from plumber_core.testing.simulator.server import PATIENCE, SimulatedServer
from plumber_core.testing.simulator.truth import Truth

DETECTED = 30.0
"""Virtual seconds after the healing within which a live copy of an agent must have been noticed."""
LAST_BYTES = 10.0
"""Virtual seconds in which the log of a command arrives that has ended; two copies of an agent are never both idle."""
SHARES = 5
"""An execution is submitted within such a share of the time of faults after the one before it."""
GO_EVERY = 3.0
"""Virtual seconds after which somebody looks for rollouts that wait for a word."""
HEALED = PATIENCE.lost_after + 4 * PATIENCE.lease + 60.0 + 12 * max(LENGTHS)
"""Virtual seconds within which everything must have come to its end once nothing goes wrong any more: executions may
have to wait for each other."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a seed is run with; shrinking a failure leaves things out."""

    seed: int
    agents: int = 3
    executions: int = 4
    seconds: float = 30.0
    without: frozenset[str] = frozenset()
    skip: frozenset[int] = frozenset()
    often: frozenset[str] = frozenset()

    def arguments(self) -> str:
        """Return it as the command line has it."""
        given = f"{self.seed} --agents {self.agents} --executions {self.executions} --seconds {self.seconds:g}"
        given += f" --without {','.join(sorted(self.without))}" if self.without else ""
        given += f" --often {','.join(sorted(self.often))}" if self.often else ""
        return given + (f" --skip {','.join(map(str, sorted(self.skip)))}" if self.skip else "")


class SeededIds(ids.Source):
    """Ids that a seed repeats; they rise as the real ones do."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._number = 0

    def id(self) -> str:
        self._number += 1
        tail = f"{self._chance.getrandbits(48):012x}"
        return f"{self._number:08x}-0000-7000-8000-{tail}"

    def nonce(self) -> str:
        return f"{self._chance.getrandbits(32):08x}"


class Simulation:
    """Everything of one seed. ``run`` returns when it has been judged."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.loop = VirtualLoop()
        rates = draw(self.chance("faults"), plan.without, plan.often)
        self.faults = Faults(plan.seed, rates, plan.seconds, self.loop.time)
        self.database = SharedDatabase(self.loop)
        self.truth = Truth(self.loop, plan.seed, self.database)
        self.network = Network(self.loop, self.faults)
        self.tokens: dict[str, str] = {}
        self.servers: list[SimulatedServer] = []
        self.agents: list[SimulatedAgent] = []
        self.truth.stands = lambda name: any(a.machine.name == name and a.machine.stands for a in self.agents)
        self.submitted = 0
        self.looked_at: set[str] = set()
        self.pausing = self.chance("pauses")
        self.people = Process(self.loop, "operator")
        """Those who enrol agents and ask for executions; they do not die at crash points."""
        self.chaos = Chaos(self)

    def chance(self, of: str) -> random.Random:
        """Return a source of chance of its own: what is left out of a plan changes nothing of what is left."""
        return random.Random(f"{self.plan.seed}/{of}")

    def run(self) -> None:
        """Run the seed from beginning to end.

        Raises:
            Violation: an invariant does not hold.
        """
        gc.disable()
        source = SeededIds(random.Random(f"ids {self.plan.seed}"))
        with ids.drawn_from(source), crash.watched_by(self.chaos.pass_point), _silence():
            try:
                self._play()
                self.truth.raise_first()
            finally:
                self._end()
                gc.enable()

    def _play(self) -> None:
        self.people.spawn(self._begin())
        self.loop.run(self.plan.seconds, self._violated)
        if self._violated():
            return
        self.chaos.heal()
        self.loop.run(self.plan.seconds + HEALED, self._settled)
        verdict.judge(self)

    def trace(self) -> str:
        """Return a digest of everything that was told and done: two runs of a seed have the same."""
        rows = self.database.rows("SELECT at, kind, execution_id, agent_id, data FROM events ORDER BY id")
        runs = [(run.attempt, run.began, run.ended, run.status, run.said) for run in self.truth.runs.values()]
        return hashlib.sha256(repr((self.loop.turns, self.loop.time(), rows, runs)).encode()).hexdigest()[:16]

    def _violated(self) -> bool:
        return bool(self.truth.violations)

    def _settled(self) -> bool:
        if self._violated():
            return True
        if self.submitted < self.plan.executions or verdict.open_executions(self):
            return False
        if self.truth.cloned:
            last = max((run.ended or 0.0 for run in self.truth.runs.values()), default=0.0)
            return self.loop.time() > max(self.plan.seconds + DETECTED, last + LAST_BYTES)
        return all(agent.idle for agent in self.agents)

    async def _begin(self) -> None:
        self.operator = SqlStore(ServerDatabase(self.database, self.people, self.faults))
        await self._enrol()
        self.servers = [SimulatedServer(self.loop, f"s{n}", self.database, self.faults, self.tokens) for n in range(2)]
        for agent in self.agents:
            agent.boot()
        self.loop.call_later(1.0, self.chaos.tick)
        self.loop.call_later(GO_EVERY, self._say_go)
        for number in range(self.plan.executions):
            chance = self.chance(f"execution {number}")
            await asyncio.sleep(chance.random() * self.plan.seconds / SHARES)
            if number in self.plan.skip:
                self.submitted += 1
            else:
                await self._submit(number, chance)

    async def _enrol(self) -> None:
        for number in range(self.plan.agents):
            id_ = f"{number:08x}-aaaa-7000-8000-000000000000"
            self.tokens[id_] = f"token-{number}"
            row = AgentRow(id_, f"a{number}", AgentState.ACTIVE, {}, {}, "", 4, [], 0, None, False)
            while not await self._enrolled(row):
                pass
            self.agents.append(self.new_agent(id_, f"m{number}", SimulatedDisk(self.chance(f"disk {number}"))))

    async def _enrolled(self, row: AgentRow) -> bool:
        with contextlib.suppress(PlumberError):
            await self.operator.add_agent(row, secret_hash(self.tokens[row.id]))
        return bool(self.database.rows("SELECT 1 FROM agents WHERE id = ?", row.id))

    def new_agent(self, id_: str, name: str, disk: SimulatedDisk) -> SimulatedAgent:
        """Return an agent on a new machine."""
        chance = self.chance(name)
        machine = SimulatedMachine(self.loop, name, chance, self.truth, disk)
        disk.torn = self.faults.rates["torn"]
        machine.cannot_start = self.faults.rates["cannot_start"]
        machine.clock.rate = 1 + (chance.random() * 2 - 1) * self.faults.rates["drift"]
        return SimulatedAgent(id_, machine, self.network, lambda: [s for s in self.servers if s.serving], chance)

    async def _submit(self, number: int, chance: random.Random) -> None:
        """Ask until one of the servers has taken it: an answer may be lost, so all tries have one request id."""
        others = {kind: self.chance(f"{kind} {number}") for kind in ("rollout", "around")}
        source = Source(tasks.draw(chance, self.plan.agents, others, self.faults.rates))

        async def known(fresh: bool) -> Source:
            return source

        request = Request("operator", request_id=f"request-{number}")
        while True:
            serving = [server for server in self.servers if server.serving]
            if serving:
                server = chance.choice(serving)
                work = server.process.spawn(submit(server.engine, known, request))
                await asyncio.wait({work}, timeout=5.0)
                if work.done() and not work.cancelled() and work.exception() is None:
                    break
            await asyncio.sleep(0.5)
        self.submitted += 1
        self.loop.call_later(chance.random() * 10, self._maybe_cancel, work.result()[0], chance)

    def _maybe_cancel(self, execution: str, chance: random.Random) -> None:
        """Cancel it now, if the seed has it so."""
        if self.faults.rates["cancel"] and chance.random() < 0.3 and self.faults.active:
            serving = [server for server in self.servers if server.serving]
            for server in serving[:1]:
                server.process.spawn(_cancel(server, execution, kill=chance.random() < 0.2))

    def _say_go(self) -> None:
        """An operator who looks now and then lets a rollout that waits for somebody go on."""
        query = "SELECT execution_id FROM progress WHERE waits IS NOT NULL AND waits <> ? AND opens_at IS NULL"
        waiting, serving = self.database.rows(query, TURN), [server for server in self.servers if server.serving]
        for server in serving[:1]:
            for (execution,) in waiting:
                server.process.spawn(_go(server, execution))
        self._resume(serving)
        self._pause(serving)
        self.loop.call_later(GO_EVERY, self._say_go)

    def _resume(self, serving: list[SimulatedServer]) -> None:
        """Have what failed or was cancelled go on, once each at most, if the seed has it so."""
        ended = self.database.rows("SELECT id FROM executions WHERE state IN ('failed', 'cancelled') ORDER BY id")
        for (execution,) in ended if self.faults.active else ():
            chance = self.chance(f"resume {execution}")
            if execution not in self.looked_at and chance.random() < self.faults.rates["resume"] and serving:
                hosts = chance.choice((None, None, tuple(f"a{n}" for n in range(self.plan.agents))[:1]))
                request = resuming.Request(what=chance.choice(("rest", "rest", "failed")), hosts=hosts, by="operator")
                serving[0].process.spawn(_go_on(serving[0], execution, request))
            self.looked_at.add(execution)

    def _pause(self, serving: list[SimulatedServer]) -> None:
        """Pause one execution or another, and let most of those that are paused go on."""
        rows = self.database.rows("SELECT id, state FROM executions WHERE state IN ('running', 'paused') ORDER BY id")
        for execution, state in rows if serving else ():
            if state == "paused" and (not self.faults.active or self.pausing.random() < 0.7):
                serving[0].process.spawn(_continue(serving[0], execution))
            elif state == "running" and self.faults.active and self.pausing.random() < self.faults.rates["pause"]:
                serving[0].process.spawn(_pause(serving[0], execution))

    def _end(self) -> None:
        """Let go of everything at once, whatever still waits."""
        self.database.away = True
        self.loop.wind_up()


async def _go(server: SimulatedServer, execution: str) -> None:
    with contextlib.suppress(PlumberError, Conflict, NotFound):
        await batches.go(server.engine, execution, None, {"by": "operator"})


async def _go_on(server: SimulatedServer, execution: str, request: resuming.Request) -> None:
    with contextlib.suppress(PlumberError):
        await resuming.resume(server.engine, execution, request)


async def _pause(server: SimulatedServer, execution: str) -> None:
    with contextlib.suppress(PlumberError):
        await pausing.pause(server.engine, execution, "operator", "")


async def _continue(server: SimulatedServer, execution: str) -> None:
    with contextlib.suppress(PlumberError):
        await going_on.go_on(server.engine, execution, "operator", "")


async def _cancel(server: SimulatedServer, execution: str, *, kill: bool) -> None:
    with contextlib.suppress(PlumberError, Conflict, NotFound):
        await cancelling.cancel(server.engine, execution, kill=kill)


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
