"""One session with the server: greeted, renewed, told everything; it ends with the exception that ended it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from plumber_core.model.limits import permit_ttl
from plumber_core.protocol.messages import (
    DISK_PRESSURE,
    Ask,
    Assignment,
    Cancel,
    Delivery,
    ExecutorInfo,
    Goodbye,
    Load,
    LogEnd,
    Renew,
    Renewed,
    Settled,
    Welcome,
)
from plumber_core.protocol.peer import Disconnected, Peer, SessionOver
from plumber_core.runner.acceptance import Acceptance
from plumber_core.runner.assignments import Assignments
from plumber_core.runner.attempts import Attempts, Tracked
from plumber_core.runner.backoff import Backoff
from plumber_core.runner.commands import Surroundings
from plumber_core.runner.load import LoadGauge
from plumber_core.runner.permits import Permits
from plumber_core.runner.scope import TaskScope
from plumber_core.runner.slots import Slots
from plumber_core.runner.supervision import SupervisorClient
from plumber_core.runner.uploads import Courier, Line, Pace
from plumber_core.runner.world import WORLD, World

ANSWER_WITHIN = 10.0
"""Seconds; with a heartbeat a second a dead connection is noticed within 12."""
log = logging.getLogger("plumber.agent")


class Farewell(Disconnected):
    """The server said goodbye: come back after ``delay`` seconds."""

    def __init__(self, delay: float) -> None:
        super().__init__("the server is going away")
        self.delay = delay


@dataclass(slots=True)
class Bench:
    """What outlives sessions: the hands, the journal's view, and what this agent can run."""

    supervisor: SupervisorClient
    attempts: Attempts
    slots: Slots
    boot_id: str
    executors: Callable[[], tuple[ExecutorInfo, ...]]
    acceptance: Acceptance
    world: World = WORLD
    load: Callable[[], Load | None] = lambda: None


class Session:
    """``opened`` is when the greeting was sent (boot clock); permits count from it as renewal number 0."""

    def __init__(self, bench: Bench, peer: Peer, welcome: Welcome, around: Surroundings, opened: float) -> None:
        self._bench, self._clock = bench, bench.world.clock
        self._welcome = welcome
        self._heartbeat = welcome.heartbeat
        self._scope = TaskScope()
        self._permits = Permits(welcome.permit_ttl, opened)
        self._line = Line(
            session=welcome.session,
            epoch=welcome.epoch,
            boot_id=bench.boot_id,
            peer=peer,
            supervisor=bench.supervisor,
            attempts=bench.attempts,
            scope=self._scope,
            next=self.deliver,
            pace=Pace(),
            world=bench.world,
        )
        self._work = Assignments(self._line, self._permits, bench.slots, bench.acceptance, around)
        self._couriers: set[str] = set()
        self._announced = bench.executors()
        self._gauge = LoadGauge(bench.load, self._clock.boottime)
        self.proven = False
        """Whether the server has answered a renewal."""

    async def run(self) -> None:
        """Serve until something ends the session.

        Raises:
            PeerError: what ended it.
        """
        async with self._scope:
            self._scope.start(self._renew())
            for delivery in self._welcome.deliveries:
                self.deliver(delivery)
            for tracked in self._bench.attempts:
                self.attend(tracked)
            self._scope.start(self._bench.supervisor.durable_now(False))
            await self._scope.wait()

    def deliver(self, delivery: Delivery) -> None:
        """Act on what the server pushed; never blocks.

        Raises:
            Farewell: the server is going away.
        """
        match delivery:
            case Assignment():
                self._work.assign(delivery)
            case Ask():
                self._work.ask(delivery)
            case Cancel():
                self._work.cancel(delivery)
            case LogEnd():
                self._learn_end(delivery)
            case Settled():
                self._settle(delivery)
            case Goodbye():
                raise Farewell(delivery.delay)

    def attend(self, tracked: Tracked) -> None:
        """See to it that the server hears what is new of an attempt."""
        attempt = tracked.attempt
        if attempt in self._couriers or self._scope.closed:
            return
        if tracked.state == "void":
            self._couriers.add(attempt)
            self._scope.start(self._work.prove(attempt, "void"))
        elif tracked.ended or tracked.log_end or tracked.settled:
            self._couriers.add(attempt)
            courier = Courier(self._line, tracked)
            courier.begin()
            self._scope.start(self._carry(courier, tracked))

    async def _carry(self, courier: Courier, tracked: Tracked) -> None:
        backoff = Backoff(self._bench.world.chance)
        while not await courier.run():
            await asyncio.sleep(backoff.next())
            courier = Courier(self._line, tracked)
        self._couriers.discard(tracked.attempt)

    def _learn_end(self, end: LogEnd) -> None:
        tracked = self._bench.attempts.find(end.attempt)
        if tracked is not None and (tracked.durable is None or end.end > tracked.durable):
            tracked.durable = end.end
            tracked.changed.set()

    def _settle(self, settled: Settled) -> None:
        tracked = self._bench.attempts.find(settled.attempt)
        if tracked is not None and not tracked.occupies:
            tracked.settled = True
            tracked.changed.set()
            self.attend(tracked)

    async def _renew(self) -> None:
        beat = 0
        while True:
            beat += 1
            sent = self._clock.boottime()
            self._permits.sent(beat, sent)
            self._take(await self._exchange(beat))
            self.proven = True
            # Agents that greeted together must not renew together for ever.
            pause = self._heartbeat * (self._bench.world.chance.uniform(0.5, 1.0) if beat == 1 else 1.0)
            await asyncio.sleep(max(0.0, pause - (self._clock.boottime() - sent)))

    async def _exchange(self, beat: int) -> Renewed:
        line, executors = self._line, self._bench.executors()
        news = None if executors == self._announced else executors
        self._bench.acceptance.look()
        refuses = self._bench.acceptance.refuses
        if refuses == DISK_PRESSURE:
            await self._make_room()
        load = self._gauge.news()
        message = Renew(line.session, beat, line.epoch, self._bench.attempts.held(), news, refuses, load)
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                renewed = await line.peer.renew(message)
        except TimeoutError:
            raise Disconnected("no answer to a heartbeat") from None
        self._announced = executors
        self._gauge.told(load)
        return renewed

    async def _make_room(self) -> None:
        """Have all that the server has already taken off the disk."""
        self._bench.supervisor.make_room()
        for tracked in self._bench.attempts:
            if tracked.occupies and (tracked.durable or 0) > tracked.trimmed:
                tracked.trimmed = tracked.durable or 0
                await self._bench.supervisor.trim(tracked.attempt, tracked.trimmed, now=True)

    def _take(self, renewed: Renewed) -> None:
        if renewed.epoch != self._line.epoch:
            raise SessionOver(f"the server's database is another one: epoch {renewed.epoch}")
        if renewed.heartbeat != self._heartbeat:
            self._heartbeat = renewed.heartbeat
            self._permits.ttl = permit_ttl(renewed.heartbeat)
        self._tell_recorded(renewed.recorded)
        for delivery in renewed.deliveries:
            self.deliver(delivery)

    def _tell_recorded(self, beat: int) -> None:
        """Have commands that must not outlive a long silence go on."""
        sent = self._permits.sent_at(beat)
        if sent is not None and self._bench.attempts.any_counts_renewals():
            self._bench.supervisor.renewed(sent)
