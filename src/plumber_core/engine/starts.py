"""Set steps going: render them, bind each to a connected agent with a free slot, or leave it ready.

A step that is bound in the same write that makes it runnable costs no claim: the assignment is pushed the moment the
commit is known, and carries the permit (short form).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from plumber_core.engine.claim import claim_soon
from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.errors import InvalidRequest
from plumber_core.ids import attempt_id, new_nonce, step_execution_id
from plumber_core.model.plan import Plan
from plumber_core.model.records import Start
from plumber_core.planning.render import render_step
from plumber_core.protocol.codec import to_json
from plumber_core.protocol.messages import Assignment, StepSpec


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
    holder: Holder | None = None
    heir: str | None = None

    def release(self) -> None:
        """The write did not happen: give the slots back."""
        for connection, assignment in self.bound:
            connection.reserved -= assignment.attempt != self.heir

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
            self._tell_waiting(engine, agent)
        return kept

    def _hand(self, connection: Connection, assignment: Assignment) -> None:
        if self.holder is not None and assignment.attempt == self.heir:
            connection.pass_on(self.holder.attempt, assignment)
            return
        connection.reserved -= 1
        connection.hand(assignment)

    def _tell_waiting(self, engine: Engine, agent: str) -> None:
        connection = engine.connections.get(agent)
        if connection is None:
            engine.wakeups.agent(agent)
            return
        connection.backlog = True
        # It came, or a slot became free, while this was being written.
        claim_soon(engine, connection)


Outputs = dict[str, dict[str, dict[str, str]]]
"""Step name -> host -> key -> value."""


async def prepare(
    engine: Engine,
    plan: Plan,
    execution: str,
    pairs: Iterable[tuple[int, int]],
    just_set: Outputs | None = None,
    holder: Holder | None = None,
) -> Prepared:
    """Render (step, lane) pairs and reserve slots.

    Args:
        engine: the engine.
        plan: the execution's plan.
        execution: its id.
        pairs: what to set going.
        just_set: outputs that the write under way is about to store.
        holder: what ends in that write; its slot goes to what follows on the same agent.

    Raises:
        InvalidRequest: a template cannot be rendered; nothing is reserved.
    """
    prepared = Prepared(holder=holder)
    try:
        for step, together in groupby(pairs, key=itemgetter(0)):
            hosts = plan.stages[plan.stage_of(step)].hosts
            outputs = await _outputs(engine, plan, execution, step, just_set or {})
            for _, lane in together:
                await _check_exists(engine, plan, step, hosts[lane])
                spec = render_step(plan, step, hosts[lane], execution, outputs)
                _bind(engine, prepared, step_execution_id(execution, step, lane), hosts[lane], spec)
    except BaseException:
        prepared.release()
        raise
    return prepared


def _bind(engine: Engine, prepared: Prepared, step_id: str, host: str, spec: StepSpec) -> None:
    """Reserve a slot for a rendered step, or leave it ready."""
    heir = _inherits(engine, prepared, host)
    connection = heir or engine.connections.reserve(host)
    if connection is None:
        prepared.starts.append(Start(step_id, host, spec.index, to_json(spec)))
        prepared.waiting.append(host)
        return
    attempt = attempt_id(step_id, 1, new_nonce())
    prepared.heir = attempt if heir is not None else prepared.heir
    session, beat = connection.session_hash, connection.beat
    start = Start(step_id, host, spec.index, to_json(spec), attempt, 1, session, beat, connection.boot_id)
    prepared.starts.append(start)
    prepared.bound.append((connection, Assignment(attempt, connection.session, beat, connection.epoch, spec)))


def _inherits(engine: Engine, prepared: Prepared, host: str) -> Connection | None:
    holder = prepared.holder
    if holder is None or prepared.heir is not None or holder.connection.agent_id != host:
        return None
    fit = engine.connections.permits(holder.connection) and holder.connection.may_pass_on(holder.attempt)
    return holder.connection if fit else None


async def _check_exists(engine: Engine, plan: Plan, step: int, host: str) -> None:
    """Refuse a step whose agent was deleted after the targets were frozen: it would wait for ever."""
    fleet = await engine.fleet.fresh_enough()
    if host not in fleet.rows:
        await fleet.refresh()
    if host not in fleet.rows:
        reason = f"agent {plan.hosts.get(host, host)} was deleted"
        raise InvalidRequest(field=f"steps.{plan.steps[step].name}", reason=reason)


async def _outputs(engine: Engine, plan: Plan, execution: str, step: int, just_set: Outputs) -> Outputs:
    """Return the outputs that a step's templates ask for; without any, nothing is read."""
    names = plan.steps[step].needs_outputs
    if not names:
        return {}
    wanted = [index for index, candidate in enumerate(plan.steps) if candidate.name in names]
    found: Outputs = {plan.steps[index].name: dict(just_set.get(plan.steps[index].name, {})) for index in wanted}
    for index, host, outputs in await engine.store.outputs(execution, wanted):
        found[plan.steps[index].name][host] = outputs
    return found
