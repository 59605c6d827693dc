"""What agents know better than the database: steps that they ran in commits that it has forgotten."""

from __future__ import annotations

import functools
from collections.abc import Sequence

from sqlalchemy import Connection, and_, exists, insert, or_, select, text, update

from plumber_core.model import forgotten as f
from plumber_core.model import records as r
from plumber_core.model.asked import NEVER
from plumber_core.model.states import TERMINAL_STEP_STATES, WAITING_STEP_STATES, Actor, StepEvent, StepState, move_step
from plumber_core.storage import tables as t
from plumber_core.storage.guards import FREED, allows, becomes
from plumber_core.storage.store.agents import session_holds
from plumber_core.storage.store.asking import ask
from plumber_core.storage.store.base import (
    StorePart,
    dumps,
    insert_event,
    microseconds,
    now,
    optional_json,
    step_row,
)
from plumber_core.storage.store.counters import lock_counters
from plumber_core.storage.store.giving_back import held as held_back
from plumber_core.storage.store.newest import seen
from plumber_core.storage.store.turns import pass_over, settle_parts, was_passed

_attempt, _step, _progress, _stray = t.attempts.c, t.step_executions.c, t.progress.c, t.strays.c
_UNSTARTED = WAITING_STEP_STATES | {StepState.CLAIMED}
_LEAVE_FORGOTTEN = and_(
    _attempt.epoch < select(t.meta.c.epoch).scalar_subquery(),
    or_(
        and_(_step.state == "claimed", _step.attempt_id == _attempt.id),
        and_(_attempt.state == "never_ran", _attempt.late.is_(None)),
    ),
).label("forgotten")
"""Whether a claim may have been started in commits that the database lost. It may have been given back since."""
AT_ONCE = 500
"""Attempts looked at in one transaction."""


class AdoptionPart(StorePart):
    """Implements ``ports.AdoptionStore``."""

    async def adopt(self, adopter: f.Adopter, held: Sequence[f.HeldAttempt]) -> f.Adopted | None:
        found = f.Adopted()
        for start in range(0, len(held), AT_ONCE):
            work = functools.partial(_adopt, adopter=adopter, held=held[start : start + AT_ONCE])
            part = await self.write("adopt", work)
            if part is None:
                return None
            found = found.plus(part)
        return found

    async def report_stray(self, attempt_id: str, agent_id: str, outcome: f.Json) -> bool:
        """Keep the outcome of a stray, the first one; say whether it is one of this agent's."""
        mine = (_stray.id == attempt_id, _stray.agent_id == agent_id)

        def work(connection: Connection) -> bool:
            first = update(t.strays).where(*mine, _stray.outcome.is_(None)).values(outcome=dumps(outcome))
            if connection.execute(first).rowcount:
                insert_event(connection, "attempt.stray_ended", None, agent_id, {"attempt": attempt_id, **outcome})
                return True
            return connection.execute(select(_stray.id).where(*mine)).first() is not None

        return await self.write("stray", work)

    async def strays(self, agent_id: str, limit: int, before: str | None) -> list[f.StrayRow]:
        query = select(t.strays).where(_stray.agent_id == agent_id).order_by(_stray.id.desc()).limit(limit)
        if before is not None:
            query = query.where(_stray.id < before)
        rows = await self.read(lambda connection: connection.execute(query).all())
        return [f.StrayRow(**{**row._mapping, "outcome": optional_json(row.outcome)}) for row in rows]

    async def standing(self, execution_id: str) -> f.Standing:
        def work(connection: Connection) -> f.Standing:
            resumed = select(t.executions.c.resumed).where(t.executions.c.id == execution_id)
            since = connection.execute(resumed).scalar_one_or_none() or 0
            columns = (_step.step, _step.lane, _step.state, _step.round, _step.by_hand, _step.cause)
            rows = connection.execute(select(*columns).where(_step.execution_id == execution_id).order_by(_step.round))
            # What a condition has passed over needs nothing and has failed nobody.
            cells = {
                (row.step, row.lane): StepState.SUCCEEDED if was_passed(row.cause) else seen(row, since) for row in rows
            }
            query = select(_progress.control).where(_progress.execution_id == execution_id).order_by(_progress.stage)
            return f.Standing(cells, tuple(connection.execute(query).scalars()))

        return await self.database.snapshot(work)

    async def settle(self, change: f.Settlement) -> bool:
        return await self.write("settle", lambda connection: settle(connection, change))


def _adopt(connection: Connection, adopter: f.Adopter, held: Sequence[f.HeldAttempt]) -> f.Adopted | None:
    if not connection.execute(select(exists().where(session_holds(adopter.agent, adopter.session)))).scalar():
        return None
    wanted = {one.attempt: one for one in held}
    query = select(_attempt.id, _attempt.outcome, _attempt.late, _attempt.log_end, _attempt.log_total, _LEAVE_FORGOTTEN)
    joined = query.join(t.step_executions, _step.id == _attempt.step_execution_id)
    known = {row.id: row for row in connection.execute(joined.where(_attempt.id.in_(list(wanted))))}
    settled = [row.id for row in known.values() if (row.outcome or row.late) and row.log_end == row.log_total]
    begun = [one for one in held if one.state != "void" and (one.attempt not in known or known[one.attempt].forgotten)]
    if not begun:
        return f.Adopted(tuple(settled))
    steps = _locked_steps(connection, begun)
    ended: list[str] = []
    for one in sorted(begun, key=lambda one: one.number):
        step = steps.get(one.step_execution)
        if step is None:
            _note_stray(connection, adopter, one)
        elif step.agent_id == adopter.agent or step.pool is not None:
            (_open_again if one.attempt in known else _insert_attempt)(connection, adopter, one)
            if step.state in TERMINAL_STEP_STATES:
                ended.append(one.attempt)
            elif step.agent_id != adopter.agent and _given_since(connection, step, one):
                # After waiting for so long; what both do is told.
                continue
            elif _is_newer(step, one) and _has_no_other_lane(connection, adopter, step, steps):
                steps[step.id] = _make_current(connection, adopter, step, one)
    executions = frozenset(step.execution_id for step in steps.values() if step.agent_id == adopter.agent)
    for execution in sorted(executions):
        which = t.executions.c.id == execution
        connection.execute(update(t.executions).where(which).values(adopted=t.executions.c.adopted + 1))
    return f.Adopted(tuple(settled), tuple(ended), executions)


def _is_newer(step: r.StepRow, one: f.HeldAttempt) -> bool:
    return one.number > step.attempt_number or step.attempt_id is None or step.state is StepState.CLAIMED


def _has_no_other_lane(
    connection: Connection, adopter: f.Adopter, step: r.StepRow, steps: dict[str, r.StepRow]
) -> bool:
    """Take another lane of the same step from an agent, unless it still runs that: of a pool's lanes it has one.

    It can only have been given this one after the other had been taken from it, in commits that were lost.
    """
    lane = (_step.execution_id == step.execution_id, _step.step == step.step, _step.round == step.round)
    others = (*lane, _step.agent_id == adopter.agent, _step.id != step.id)
    row = connection.execute(select(t.step_executions).where(*others).with_for_update()).first()
    if row is None:
        return True
    other = step_row(row)
    event = StepEvent.GIVE_BACK if other.state is StepState.CLAIMED else StepEvent.NEVER_RAN
    took = move_step(other.state, event, Actor.AGENT, current=True, cancelled=other.cancel_requested)
    if other.attempt_id in adopter.running or took is not StepState.READY:
        return False
    values = {"state": text(becomes(event)), "agent_id": text(FREED), "attempt_id": None, "started_at": None}
    ready_at = now() + held_back(connection, other.execution_id)
    freed = update(t.step_executions).where(_step.id == other.id).values(**values, ready_at=ready_at)
    steps[other.id] = step_row(connection.execute(freed.returning(t.step_executions)).one())
    unended = (_attempt.id == other.attempt_id, _attempt.ended_at.is_(None))
    connection.execute(update(t.attempts).where(*unended).values(ended_at=now()))
    data = {"step_execution": other.id, "step": other.step, "lane": other.lane, "attempt": other.attempt_id}
    insert_event(connection, "step.ready", other.execution_id, adopter.agent, data)
    return True


def _given_since(connection: Connection, step: r.StepRow, one: f.HeldAttempt) -> bool:
    """Say whether a step was handed to another agent of its pool since the database lost commits.

    What was handed out before has ended in them when another attempt followed it. What an agent has told of has no
    renewal to its name: nobody here has handed it out.
    """
    if step.state in _UNSTARTED:
        return False
    if one.number <= step.attempt_number:
        return True
    query = select(_attempt.beat, _attempt.epoch == select(t.meta.c.epoch).scalar_subquery())
    beat, present = connection.execute(query.where(_attempt.id == step.attempt_id)).one()
    return bool(beat and present)


def _locked_steps(connection: Connection, held: Sequence[f.HeldAttempt]) -> dict[str, r.StepRow]:
    """Lock in the order of the reports, counters first, and have whoever has decided already decide anew."""
    executions = sorted({one.execution for one in held})
    counters = select(_progress.stage).where(_progress.execution_id.in_(executions))
    ordered = counters.order_by(_progress.execution_id, _progress.stage)
    connection.execute(ordered.with_for_update()).all()
    changed = update(t.progress).where(_progress.execution_id.in_(executions))
    connection.execute(changed.values(control=_progress.control + 1))
    ids = [one.step_execution for one in held]
    rows = connection.execute(select(t.step_executions).where(_step.id.in_(ids)).order_by(_step.id).with_for_update())
    return {step.id: step for step in map(step_row, rows)}


def _insert_attempt(connection: Connection, adopter: f.Adopter, one: f.HeldAttempt) -> None:
    epoch = select(t.meta.c.epoch).scalar_subquery()
    values = {
        "id": one.attempt,
        "step_execution_id": one.step_execution,
        "execution_id": one.execution,
        "agent_id": adopter.agent,
        "number": one.number,
        "session": adopter.session,
        "boot_id": adopter.boot_id,
    }
    connection.execute(insert(t.attempts).values(**values, epoch=epoch, started_at=now()))


def _open_again(connection: Connection, adopter: f.Adopter, one: f.HeldAttempt) -> None:
    epoch = select(t.meta.c.epoch).scalar_subquery()
    values = {"session": adopter.session, "boot_id": adopter.boot_id, "epoch": epoch}
    unended = {"ended_at": None, "state": None, "log_state": "open"}
    connection.execute(update(t.attempts).where(_attempt.id == one.attempt).values(**values, **unended))


def _make_current(connection: Connection, adopter: f.Adopter, step: r.StepRow, one: f.HeldAttempt) -> r.StepRow:
    """Let the step be run by this attempt, by the edges of the table one after the other. A cancel is not forgotten."""
    spec = step.spec or {**one.spec, "index": step.step}
    values = {
        "agent_id": adopter.agent,
        "attempt_id": one.attempt,
        "attempt_number": one.number,
        "spec": dumps(spec),
        "started_at": now(),
    }
    mine = update(t.step_executions).where(_step.id == step.id)
    if step.attempt_id not in (None, one.attempt) and step.state not in WAITING_STEP_STATES:
        replaced = update(t.attempts).where(_attempt.id == step.attempt_id, _attempt.ended_at.is_(None))
        connection.execute(replaced.values(ended_at=now()))
    if step.state is StepState.CLAIMED:
        connection.execute(mine.values(state=text(becomes(StepEvent.GIVE_BACK))))
    if step.state is StepState.RETRY_WAIT:
        connection.execute(mine.values(state=text(becomes(StepEvent.WAKE))))
    if step.state in _UNSTARTED:
        connection.execute(mine.values(state=text(becomes(StepEvent.BIND))))
    connection.execute(mine.values(**values))
    asked = t.executions.c.cancel_requested & (t.executions.c.main_state.is_(None) | t.executions.c.always_cancelled)
    wanted = select(asked).where(t.executions.c.id == one.execution)
    if connection.execute(wanted).scalar_one():
        connection.execute(mine.values(cancel_requested=True))
        running = mine.where(_step.state == "running")
        connection.execute(running.values(state=text(becomes(StepEvent.CANCEL))))
    data = {"step_execution": step.id, "step": step.step, "lane": step.lane, "attempt": one.attempt}
    insert_event(connection, "step.adopted", one.execution, adopter.agent, data)
    return step_row(connection.execute(select(t.step_executions).where(_step.id == step.id)).one())


def _note_stray(connection: Connection, adopter: f.Adopter, one: f.HeldAttempt) -> None:
    deleted = select(t.deleted_executions.c.id).where(t.deleted_executions.c.id == one.execution)
    same = select(_stray.id).where(_stray.id == one.attempt)
    if connection.execute(deleted.union_all(same)).first() is not None:
        return
    about = {"task": one.spec.get("task", ""), "step": one.spec.get("step", "")}
    values = {"id": one.attempt, "agent_id": adopter.agent, "execution_id": one.execution, **about}
    connection.execute(insert(t.strays).values(**values, seen_at=now()))
    data = {"attempt": one.attempt, "execution": one.execution, **about}
    insert_event(connection, "attempt.stray", None, adopter.agent, data)


def settle(connection: Connection, change: f.Settlement) -> bool:
    """Write where an execution stands, in the caller's transaction. False when somebody has changed it meanwhile."""
    mine = _progress.execution_id == change.execution
    if lock_counters(connection, change.execution) != change.controls:
        return False
    for stage, (remaining, failed) in enumerate(change.counters):
        values = {"remaining": remaining, "failed": failed, "control": _progress.control + 1}
        if change.carried:
            values["carried"] = change.carried[stage]
        connection.execute(update(t.progress).where(mine, _progress.stage == stage).values(**values))
    _wait(connection, change)
    settle_parts(connection, change)
    blocked = (_step.execution_id == change.execution, _step.state == "blocked")
    skippable = (_step.execution_id == change.execution, text(allows(StepEvent.SKIP, Actor.SERVER)))
    pass_over(connection, change.execution, change.passed)
    for step, lane in change.skips:
        which = update(t.step_executions).where(*skippable, _step.step == step, _step.lane == lane)
        connection.execute(which.values(state=text(becomes(StepEvent.SKIP)), ended_at=now()))
    for start in change.starts:
        ready = {"state": text(becomes(StepEvent.UNBLOCK)), "spec": dumps(start.spec), "ready_at": now()}
        if start.wants:
            ready |= {"ready_at": NEVER, "locked": True}
            ask(connection, change.execution, start.step_id, start.wants)
        connection.execute(update(t.step_executions).where(*blocked, _step.id == start.step_id).values(**ready))
        data = {"step_execution": start.step_id, "step": start.step, "attempt": None}
        insert_event(connection, "step.ready", change.execution, start.agent_id, data)
    _end_execution(connection, change)
    return True


def _wait(connection: Connection, change: f.Settlement) -> None:
    """Let a stage wait for its pause, unless it does already."""
    if (waits := change.waits) is None or (pause := waits.pause) is None:
        return
    which = (_progress.execution_id == change.execution, _progress.stage == waits.stage, _progress.waits.is_(None))
    until = None if isinstance(pause, str) else now() + microseconds(pause)
    connection.execute(update(t.progress).where(*which).values(waits=waits.waits, opens_at=until))


def _end_execution(connection: Connection, change: f.Settlement) -> None:
    if change.state is None:
        return
    running = (t.executions.c.id == change.execution, t.executions.c.state == "running")
    ended = update(t.executions).where(*running).values(state=change.state.value, ended_at=now())
    if connection.execute(ended).rowcount:
        insert_event(connection, f"execution.{change.state}", change.execution, None, {})
