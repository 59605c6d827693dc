"""Set steps going: render them, bind each to a connected agent with a free slot, or leave it ready.

A step that is bound in the same write that makes it runnable costs no claim: the assignment is pushed the moment the
commit is known, and carries the permit (short form).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from plumber_core.engine.blocked import RowsOf as RowsOf
from plumber_core.engine.blocked import first_rows as first_rows
from plumber_core.engine.blocked import stored_rows as stored_rows
from plumber_core.engine.claim import claim_soon
from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.engine.outputs import Outputs, OutputsOf
from plumber_core.engine.pools import tell_pool
from plumber_core.errors import InvalidRequest
from plumber_core.ids import attempt_id, new_nonce, pool_id
from plumber_core.model.plan import Plan
from plumber_core.model.records import Start
from plumber_core.model.rounds import BlockedRow
from plumber_core.planning.holds import wanted_by_step
from plumber_core.planning.render import render_step
from plumber_core.protocol.codec import to_json
from plumber_core.protocol.messages import Assignment, StepSpec
from plumber_core.reasons import because


class Holder(NamedTuple):
    """An attempt that ends in the write under way, and the connection whose slot it gives back."""

    connection: Connection
    attempt: str


@dataclass
class Prepared:
    """Starts for one write, with the slots reserved for them. ``commit`` or ``release`` it, exactly once.

    ``heir`` is the attempt that gets the slot of ``holder``: nothing is reserved for it.
    """

    starts: list[Start] = field(default_factory=list)
    bound: list[tuple[Connection, Assignment]] = field(default_factory=list)
    waiting: list[str] = field(default_factory=list)
    pools: list[tuple[str, ...]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    holder: Holder | None = None
    heir: str | None = None

    def release(self) -> None:
        """The write did not happen: give the slots back."""
        for connection, assignment in self.bound:
            connection.reserved -= assignment.attempt != self.heir

    def suspect(self) -> None:
        """Nobody knows whether the write happened: look at what the database says, later."""
        for connection, _ in self.bound:
            connection.suspect()

    def commit(self, engine: Engine, keep: Connection | None = None) -> Assignment | None:
        """The write happened: push. The first assignment for ``keep`` is returned instead, to ride on a reply."""
        kept: Assignment | None = None
        for connection, assignment in self.bound:
            self._hand(connection, assignment)
            if connection is keep and kept is None:
                kept = assignment
            else:
                connection.push(assignment)
        engine.counts["plumber_assigned_by_push_total"] += len(self.bound)
        for agent in self.waiting:
            tell_waiting(engine, agent)
        for agents, together in groupby(self.pools):
            tell_pool(engine, pool_id(agents), agents, len(list(together)))
        engine.ask(self.asked)
        return kept

    def _hand(self, connection: Connection, assignment: Assignment) -> None:
        if self.holder is not None and assignment.attempt == self.heir:
            connection.pass_on(self.holder.attempt, assignment)
            return
        connection.reserved -= 1
        connection.hand(assignment)


def tell_waiting(engine: Engine, agent: str) -> None:
    """A step of this agent is ready: have it claimed, here or wherever the agent is connected."""
    connection = engine.connections.get(agent)
    if connection is None:
        engine.wakeups.agent(agent)
        return
    connection.backlog = True
    # It came, or a slot became free, while this was being written.
    claim_soon(engine, connection)


async def prepare(
    engine: Engine,
    plan: Plan,
    execution: str,
    pairs: Iterable[tuple[int, int]],
    just_set: Outputs | None = None,
    holder: Holder | None = None,
    *,
    renewed: bool = False,
) -> Prepared:
    """Render (step, lane) pairs and reserve slots.

    Args:
        engine: the engine.
        plan: the execution's plan.
        execution: its id.
        pairs: what to set going.
        just_set: outputs that the write under way is about to store.
        holder: what ends in that write; its slot goes to what follows on the same agent.
        renewed: its steps have rows of several rounds.

    Raises:
        InvalidRequest: a template cannot be rendered; nothing is reserved.
    """
    prepared = Prepared(holder=holder)
    try:
        rows = stored_rows(engine, execution) if renewed else first_rows(execution)
        async for row, host, spec in _rendered(engine, plan, execution, pairs, just_set or {}, rows):
            if plan.steps[spec.index].locks:
                start = _asking(plan, row, host, spec)
                prepared.starts.append(start)
                prepared.asked.extend(wanted.name for wanted in start.wants)
            elif host is None:
                prepared.starts.append(Start(row.id, None, spec.index, to_json(spec), number=row.number))
                prepared.pools.append(plan.pool_of(spec.index))
            else:
                _bind(engine, prepared, row, host, spec)
    except BaseException:
        prepared.release()
        raise
    return prepared


async def render(
    engine: Engine, plan: Plan, execution: str, pairs: Iterable[tuple[int, int]], rows: RowsOf
) -> list[Start]:
    """Render (step, lane) pairs to be left ready; ``rows`` says in which rows they are.

    Raises: InvalidRequest (a template cannot be rendered).
    """
    rendered = _rendered(engine, plan, execution, pairs, {}, rows)
    return [_asking(plan, row, host, spec) async for row, host, spec in rendered]


def _asking(plan: Plan, row: BlockedRow, host: str | None, spec: StepSpec) -> Start:
    """Return the start of a step that is left ready, and asks first for what it has to hold."""
    wants = wanted_by_step(plan, spec.index, host or "")
    return Start(row.id, host, spec.index, to_json(spec), number=row.number, wants=wants)


async def _rendered(
    engine: Engine, plan: Plan, execution: str, pairs: Iterable[tuple[int, int]], just_set: Outputs, rows: RowsOf
) -> AsyncIterator[tuple[BlockedRow, str | None, StepSpec]]:
    """Yield row, host (None in a pool) and what is run. All pairs of a step stand in one stage."""
    for step, together in groupby(pairs, key=itemgetter(0)):
        lanes = [lane for _, lane in together]
        stage = plan.stages[plan.stage_of(step, lanes[0])]
        reading = OutputsOf(engine.store, plan, execution, step, just_set)
        # One host that goes on reads its own: what others have set must not cost it anything.
        outputs = await (reading.of(stage.host(lanes[0])) if len(lanes) == 1 else reading.all())
        found = await rows(step, lanes)
        for lane in lanes:
            host = stage.host(lane)
            await _check_exists(engine, plan, step, stage.pool or (host,))
            spec = await _render(reading, host, outputs)
            yield found[lane], None if stage.pool else host, spec


async def _render(reading: OutputsOf, host: str, outputs: Outputs) -> StepSpec:
    try:
        return render_step(reading.plan, reading.step, host, reading.execution, outputs)
    except InvalidRequest:
        # Why a value is missing can only be said by who has seen all of them.
        return render_step(reading.plan, reading.step, host, reading.execution, await reading.all())


def _bind(engine: Engine, prepared: Prepared, row: BlockedRow, host: str, spec: StepSpec) -> None:
    """Reserve a slot for a rendered step, or leave it ready."""
    heir = _inherits(engine, prepared, host)
    connection = heir or engine.connections.reserve(host)
    if connection is None:
        prepared.starts.append(Start(row.id, host, spec.index, to_json(spec), number=row.number))
        prepared.waiting.append(host)
        return
    number = row.number + 1
    attempt = attempt_id(row.id, number, new_nonce())
    prepared.heir = attempt if heir is not None else prepared.heir
    session, beat = connection.session_hash, connection.beat
    start = Start(row.id, host, spec.index, to_json(spec), attempt, number, session, beat, connection.boot_id)
    prepared.starts.append(start)
    prepared.bound.append((connection, Assignment(attempt, connection.session, beat, connection.epoch, spec)))


def _inherits(engine: Engine, prepared: Prepared, host: str) -> Connection | None:
    holder = prepared.holder
    if holder is None or prepared.heir is not None or holder.connection.agent_id != host:
        return None
    fit = engine.connections.permits(holder.connection) and holder.connection.may_pass_on(holder.attempt)
    return holder.connection if fit else None


async def _check_exists(engine: Engine, plan: Plan, step: int, hosts: Sequence[str]) -> None:
    """Refuse a step whose agents were all deleted after the targets were frozen: it would wait for ever."""
    fleet = await engine.fleet.fresh_enough()
    if not any(host in fleet.rows for host in hosts):
        await fleet.refresh()
    if not any(host in fleet.rows for host in hosts):
        reason = because("agent_deleted", name=plan.hosts.get(hosts[0], hosts[0]))
        raise InvalidRequest(field=f"steps.{plan.steps[step].name}", reason=reason)
