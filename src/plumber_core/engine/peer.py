"""``EnginePeer``: the control plane as one connected agent sees it, in this process."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from typing import NoReturn

from plumber_core.engine.attempts import ID_LENGTH, AttemptRef
from plumber_core.engine.claim import claim_soon, deliver
from plumber_core.engine.clock import monotonic
from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.engine.finish import Ending, finish
from plumber_core.engine.given_up import end_given_up
from plumber_core.engine.logs import LogWriter
from plumber_core.engine.pools import give_back, tell_members
from plumber_core.engine.refusals import hear_proof, hear_refusal
from plumber_core.engine.report import report
from plumber_core.engine.sessions import open_session
from plumber_core.errors import NotFound, PlumberError, ProtocolError, Unavailable
from plumber_core.model.records import StepRow
from plumber_core.model.states import Actor, StepState
from plumber_core.protocol.messages import (
    Ask,
    Delivery,
    Goodbye,
    Hello,
    Load,
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
from plumber_core.protocol.peer import Disconnected, SessionOver

ASK_AFTER = 2.0
"""An attempt that was handed out less than this many seconds ago may still be on its way."""


class EnginePeer:
    """Implements ``protocol.peer.Peer`` for one authenticated agent."""

    def __init__(self, engine: Engine, logs: LogWriter, agent_id: str, credential: str) -> None:
        self._engine = engine
        self._logs = logs
        self._agent_id = agent_id
        self._credential = credential
        self._connection: Connection | None = None
        self._greeted = asyncio.Event()
        self._closed = False

    async def hello(self, message: Hello) -> Welcome:
        self._engine.counts["plumber_agent_messages_total"] += 1
        try:
            welcome, connection = await open_session(self._engine, self._agent_id, self._credential, message)
        except PlumberError as error:
            _translate(error)
        if connection is not None and connection.epoch != self._engine.epoch:
            raise Disconnected("the database became another one while the greeting was under way")
        if connection is not None and not self._closed:
            if self._connection is not None:
                self._connection.end()
            self._connection = connection
            self._engine.connections.add(connection)
            self._greeted.set()
        return welcome

    async def renew(self, message: Renew) -> Renewed:
        connection = self._current(message.session, message.epoch)
        self._engine.counts["plumber_agent_messages_total"] += 1
        first = connection.beat == 0
        have = frozenset(held.attempt for held in message.have)
        # What the reaper may have given up meanwhile: it counts silence a little longer than this.
        half = self._engine.patience.lease_at(self._engine.heartbeat) / 2
        was_silent = connection.unrecorded > half or monotonic() - connection.heard_at > half
        connection.unrecorded = 0.0
        given_up = await end_given_up(self._engine, self._agent_id, have) if was_silent else ()
        if message.beat > connection.beat:
            connection.beat, connection.heard_at = message.beat, monotonic()
        hear_refusal(self._engine, connection, message.refuses)
        if first:
            await self._first_beat(connection)
        else:
            claim_soon(self._engine, connection)
        if message.load is not None:
            connection.load = Load(_up_to(1000.0, message.load.cpu), _up_to(1.0, message.load.memory))
        if message.executors is not None:
            kinds = [{"kind": e.kind, "schema": e.schema, "summary": e.summary} for e in message.executors]
            await self._engine.store.update_agent(self._agent_id, {"executors": kinds})
        connection.have = have
        now = monotonic()
        missing = tuple(
            Ask(assignment)
            for attempt, (assignment, since) in connection.live.items()
            if attempt not in have and now - since > ASK_AFTER
        )
        return Renewed(connection.epoch, self._engine.heartbeat, (*missing, *given_up), connection.recorded)

    async def _first_beat(self, connection: Connection) -> None:
        """The agent uses its session: an older token is spent from now on, and steps may be handed out."""
        try:
            await self._engine.store.open_session(
                self._agent_id,
                lambda row, epoch: (
                    {"session_used": True}
                    if (row.session, row.session_epoch) == (connection.session_hash, epoch)
                    else None
                ),
            )
        except PlumberError as error:
            _translate(error)
        self._engine.fleet.stale()
        self._engine.spawn(deliver(self._engine, self._agent_id, "hello"), "deliver")

    async def start(self, message: Start) -> Permit:
        """Answer by the attempt's row: a claimed one starts now; the short form's permit is given anew."""
        connection = self._current(message.session, message.epoch)
        found = await self._engine.store.step_of(message.attempt)
        self._current(message.session, connection.epoch)
        if found is None or found[0].agent_id != self._agent_id or found[0].attempt_id != message.attempt:
            return Permit("gone")
        step, attempt = found
        if step.state is StepState.CLAIMED:
            return await self._give_leave(connection, step)
        if step.state is not StepState.RUNNING or step.cancel_requested:
            return Permit("gone")
        if attempt.session != connection.session_hash:
            return Permit("other")
        return await self._give_leave(connection, step)

    async def _give_leave(self, connection: Connection, step: StepRow) -> Permit:
        """Have the database note that the step may start now; who has lost it proves that nothing ran."""
        attempt, session = step.attempt_id or "", connection.session_hash
        try:
            started = await self._engine.store.start(attempt, self._agent_id, session, connection.boot_id)
        except PlumberError as error:
            _translate(error)
        self._current(connection.session, connection.epoch)
        if not started:
            return Permit("gone")
        self._engine.wakeups.changed(step.execution_id)
        return Permit("go")

    async def report(self, message: Report) -> Reported:
        connection = self._current(message.session, message.epoch)
        self._engine.counts["plumber_agent_messages_total"] += 1
        try:
            reported = await report(self._engine, connection, self._logs, message)
        except PlumberError as error:
            _translate(error)
        # The database became another one meanwhile: what it says of an older epoch's attempt means nothing.
        self._current(message.session, connection.epoch)
        return reported

    async def never_ran(self, message: NeverRan) -> None:
        connection = self._current(message.session, message.epoch)
        try:
            await self._give_back(connection, message)
        except NotFound:
            pass
        except PlumberError as error:
            _translate(error)
        self._current(message.session, connection.epoch)

    async def _give_back(self, connection: Connection, message: NeverRan) -> None:
        found = await self._engine.store.step_of(message.attempt)
        connection.done(message.attempt)
        hear_proof(self._engine, connection, message.reason)
        if found is None or found[1].agent_id != self._agent_id:
            return
        step, attempt = found
        same_boot = attempt.boot_id == message.boot_id
        if (same_boot or step.state is StepState.CLAIMED) and not step.cancel_requested:
            if await self._engine.store.requeue(message.attempt, self._agent_id, connection.session_hash):
                self._engine.wakeups.changed(step.execution_id)
                await tell_members(self._engine, [step])
                connection.backlog |= step.pool is None
                claim_soon(self._engine, connection)
            return
        state = StepState.CANCELLED if step.cancel_requested else StepState.LOST
        outcome = {"state": "cancelled" if step.cancel_requested else "unknown", "error": "never_ran"}
        ref = AttemptRef.parse(message.attempt)
        ending = Ending(
            ref,
            self._agent_id,
            state,
            Actor.AGENT,
            outcome,
            connection.session_hash,
            reported=False,
            boot_id=message.boot_id,
        )
        await finish(self._engine, ending)

    async def append(self, chunk: LogChunk) -> LogEnd:
        connection = self._current(chunk.session, None)
        self._engine.counts["plumber_agent_messages_total"] += 1
        try:
            end = await self._logs.append(self._agent_id, connection.epoch, chunk.attempt, chunk.offset, chunk.data)
            if end < 0 and await self._engine.store.deleted_at(chunk.attempt[:ID_LENGTH]) is not None:
                end = chunk.offset + len(chunk.data)
        except PlumberError as error:
            _translate(error)
        self._current(chunk.session, connection.epoch)
        return LogEnd(chunk.attempt, end)

    async def deliveries(self) -> AsyncIterator[Delivery]:
        await self._greeted.wait()
        while (connection := self._connection) is not None and not self._closed:
            delivery = await connection.outbox.get()
            if delivery is not None:
                yield delivery
            if isinstance(delivery, Goodbye) or (delivery is None and connection is self._connection):
                return

    async def close(self) -> None:
        self._closed = True
        self._greeted.set()
        if (connection := self._connection) is not None:
            self._engine.connections.remove(connection)
            if any(not assignment.permit for assignment, _ in connection.live.values()):
                self._engine.spawn(give_back(self._engine, self._agent_id, connection.session_hash), "give back")

    def _current(self, session: str, epoch: int | None) -> Connection:
        connection = self._connection
        if connection is None or connection.session != session:
            raise SessionOver
        if self._engine.connections.get(self._agent_id) is not connection:
            raise SessionOver
        if epoch is not None and epoch != connection.epoch:
            raise SessionOver
        return connection


def _translate(error: Exception) -> NoReturn:
    """Turn the engine's errors into what a peer raises."""
    if isinstance(error, (Unavailable, ProtocolError)):
        raise Disconnected(str(error)) from error
    raise error


def _up_to(most: float, value: float) -> float:
    """Return what an agent says of itself, as a number that a database stores and a page can show."""
    return min(max(round(value, 2), 0.0), most) if math.isfinite(value) else 0.0
