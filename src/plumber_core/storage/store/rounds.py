"""Rounds: the newest rows of an execution, and what people lay anew. See ``newest.py``."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, exists, func, insert, or_, select, text, update

from plumber_core.model import rounds as m
from plumber_core.model.asked import NEVER
from plumber_core.model.plan import Plan
from plumber_core.model.records import PASSED, Start
from plumber_core.model.states import TERMINAL_STEP_STATES, Actor, ExecutionState, StepEvent, StepState
from plumber_core.storage import tables as t
from plumber_core.storage.guards import allows, becomes
from plumber_core.storage.store.asking import ask
from plumber_core.storage.store.base import (
    StorePart,
    dumps,
    insert_event,
    insert_events,
    microseconds,
    now,
    optional_microseconds,
)
from plumber_core.storage.store.counters import lock_counters
from plumber_core.storage.store.executions import execution_row
from plumber_core.storage.store.holds import take
from plumber_core.storage.store.newest import newest, seen
from plumber_core.storage.store.turns import lay_parts, was_passed

_execution, _step, _progress = t.executions.c, t.step_executions.c, t.progress.c
_CELL = (_step.step, _step.lane, _step.state, _step.agent_id, _step.attempt_id, _step.round, _step.attempt_number)
_UNWELL = [state.value for state in TERMINAL_STEP_STATES - {StepState.SUCCEEDED}]
_BEGINS: dict[str, Any] = {"ended_at": None, "cancel_requested": False, "kill_requested": False, "problem": None}


class RoundPart(StorePart):
    """Implements ``ports.RoundStore``."""

    async def whole(self, execution_id: str) -> m.Whole | None:
        return await self.database.snapshot(lambda connection: _whole(connection, execution_id))

    async def renew(self, change: m.Renewal) -> bool:
        return await self.write("renew", lambda connection: _renew(connection, change))

    async def open_lanes(self, execution_id: str, stage: int, chain: Sequence[int]) -> dict[int, int]:
        mine = (_step.execution_id == execution_id, _step.step.in_(list(chain)), _step.stage == stage)
        blocked = select(_step.lane, func.min(_step.step)).where(*mine, _step.state == "blocked")
        query = blocked.group_by(_step.lane).order_by(_step.lane)
        rows = await self.read(lambda connection: connection.execute(query).all())
        return {row[0]: row[1] for row in rows}

    async def missed_lanes(self, execution_id: str, stage: int, first: int, resumed: int) -> int:
        mine = (_step.execution_id == execution_id, _step.step == first, _step.stage == stage)
        missed = (_step.state == "skipped", _step.by_hand.is_(None), _step.round >= resumed)
        query = select(func.count()).where(*mine, *missed)
        return int(await self.read(lambda connection: connection.execute(query).scalar_one()))

    async def lane_states(
        self, execution_id: str, lane: int, agent: str, steps: Sequence[int], resumed: int
    ) -> dict[int, StepState]:
        where = (_step.execution_id == execution_id, _step.step.in_(list(steps)), _step.agent_id == agent)
        query = select(_step.step, _step.state, _step.round, _step.by_hand).where(*where, _step.lane == lane)
        rows = await self.read(lambda connection: connection.execute(query.order_by(_step.round)).all())
        return {row.step: seen(row, resumed) for row in rows}

    async def blocked_rows(self, execution_id: str, step: int, lanes: Sequence[int]) -> dict[int, m.BlockedRow]:
        where = (_step.execution_id == execution_id, _step.step == step, _step.state == "blocked")
        query = select(_step.lane, _step.id, _step.attempt_number).where(*where)
        if len(lanes) == 1:
            query = query.where(_step.lane == lanes[0])
        rows = await self.read(lambda connection: connection.execute(query).all())
        return {row.lane: m.BlockedRow(row.id, row.attempt_number) for row in rows}

    async def left_out(self, execution_id: str, resumed: int) -> list[tuple[int, StepState, int]]:
        where = (_step.execution_id == execution_id, _step.round < resumed, _step.state.in_(_UNWELL))
        # What a condition has passed over is left out by nobody.
        asked = or_(_step.cause.is_(None), _step.cause.not_like(f'{{"code":"{PASSED}"%'))
        query = select(_step.step, _step.state, func.count()).where(*where, _step.by_hand.is_(None), asked, newest())
        grouped = query.group_by(_step.step, _step.state)
        rows = await self.read(lambda connection: connection.execute(grouped).all())
        return [(step, StepState(state), count) for step, state, count in rows]


def _whole(connection: Connection, execution_id: str) -> m.Whole | None:
    counters = select(_progress.control, _progress.remaining).where(_progress.execution_id == execution_id)
    counted = connection.execute(counters.order_by(_progress.stage)).all()
    row = connection.execute(select(t.executions).where(_execution.id == execution_id)).first()
    if row is None:
        return None
    cells = cells_of(connection, execution_id)
    controls, remaining = tuple(one.control for one in counted), tuple(one.remaining for one in counted)
    return m.Whole(execution_row(row), Plan.from_json(json.loads(row.plan)), cells, controls, remaining)


def cells_of(connection: Connection, execution_id: str) -> dict[m.Place, m.Cell]:
    """Read the newest row of every place."""
    query = (
        select(*_CELL, _step.id, _step.by_hand, _step.cause)
        .where(_step.execution_id == execution_id)
        .order_by(_step.round)
    )
    return {
        (one.step, one.lane): m.Cell(
            StepState(one.state),
            one.agent_id,
            one.attempt_id is not None,
            one.round,
            one.attempt_number,
            one.by_hand,
            one.cause is not None and not was_passed(one.cause),
            one.id,
            was_passed(one.cause),
        )
        for one in connection.execute(query.order_by(_step.round))
    }


def _renew(connection: Connection, change: m.Renewal) -> bool:
    """Locks in the order of the reports: counters first, the execution last."""
    if lock_counters(connection, change.execution) != change.controls:
        return False
    if not _go_on(connection, change):
        return False
    take(connection, change.execution, change.wants)
    _insert_rows(connection, change)
    if change.goes_on:
        _count(connection, change)
        _unblock(connection, change)
        lay_parts(connection, change.execution, change.parts)
    for kind, data in change.told:
        insert_event(connection, kind, change.execution, None, data)
    insert_events(connection, "step.ready", change.execution, [_ready(start) for start in change.starts])
    _end(connection, change)
    return True


def _go_on(connection: Connection, change: m.Renewal) -> bool:
    """Let the execution run again, unless somebody has done so, or it is being deleted."""
    states = [state.value for state in change.states]
    deleted = exists().where(t.deleted_executions.c.id == change.execution)
    which = (_execution.id == change.execution, _execution.state.in_(states), _execution.round == change.round - 1)
    values: dict[str, Any] = {"round": change.round}
    if change.resumes:
        # Everything has ended and is counted anew: whatever was told out of turn is settled.
        values |= {"resumed": change.round, "warnings": change.warnings, "adopted": 0, "left_out": None}
        values |= {"main_state": None, "always_cancelled": False}
    if change.goes_on and ExecutionState.RUNNING not in change.states:
        deadline = None if change.timeout is None else now() + microseconds(change.timeout)
        values |= {**_BEGINS, "state": ExecutionState.RUNNING.value, "deadline_at": deadline}
        values["locked"] = bool(change.wants)
    if change.plan is not None:
        values |= _of_plan(change.plan)
    return connection.execute(update(t.executions).where(*which, ~deleted).values(**values)).rowcount == 1


def _of_plan(plan: Plan) -> dict[str, Any]:
    return {
        "plan": dumps(plan.to_json()),
        "revision": plan.revision,
        "parameters": dumps(plan.parameters),
        "queue_timeout": optional_microseconds(plan.queue_timeout),
        "offline_after": optional_microseconds(plan.offline.patience if plan.offline else None),
    }


def _unblock(connection: Connection, change: m.Renewal) -> None:
    """What begins may also be rows that were there before."""
    laid = {row.id for row in change.rows}
    for start in change.starts:
        if start.step_id in laid:
            continue
        which = (_step.id == start.step_id, text(allows(StepEvent.UNBLOCK, Actor.SERVER)))
        ready = {"state": text(becomes(StepEvent.UNBLOCK)), "spec": dumps(start.spec), "ready_at": now()}
        if start.wants:
            ready |= {"ready_at": NEVER, "locked": True}
        connection.execute(update(t.step_executions).where(*which).values(**ready))


def _end(connection: Connection, change: m.Renewal) -> None:
    """It may be over with that, when the last step that was left is skipped or marked as done."""
    if change.ends is None:
        return
    ended = {"state": change.ends.value, "ended_at": now()}
    connection.execute(update(t.executions).where(_execution.id == change.execution).values(**ended))
    insert_event(connection, f"execution.{change.ends}", change.execution, None, {})


def _insert_rows(connection: Connection, change: m.Renewal) -> None:
    specs = {start.step_id: dumps(start.spec) for start in change.starts}
    at = connection.execute(select(now())).scalar_one()
    asking = {start.step_id for start in change.starts if start.wants}
    for start in change.starts:
        ask(connection, change.execution, start.step_id, start.wants)
    rows = [
        {
            "id": row.id,
            "execution_id": change.execution,
            "stage": row.stage,
            "step": row.step,
            "lane": row.lane,
            "agent_id": row.agent,
            "round": change.round,
            "state": (StepState.READY if row.id in specs else row.state).value,
            "spec": specs.get(row.id),
            "attempt_number": row.number,
            "by_hand": row.by_hand,
            "pool": row.pool,
            "ready_at": NEVER if row.id in asking else at if row.id in specs else None,
            "locked": row.id in asking,
            "ended_at": at if row.state in TERMINAL_STEP_STATES else None,
        }
        for row in change.rows
    ]
    connection.execute(insert(t.step_executions), rows)


def _count(connection: Connection, change: m.Renewal) -> None:
    which = (_progress.execution_id == change.execution, _progress.stage == bindparam("which"))
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in ("remaining", "failed", "carried")}
    if change.resumes:
        values["missed"] = 0
    written = update(t.progress).where(*which).values(**values, control=_progress.control + 1)
    rows = [
        {"which": stage, "new_remaining": remaining, "new_failed": failed, "new_carried": change.carried[stage]}
        for stage, (remaining, failed) in enumerate(change.counters)
    ]
    connection.execute(written, rows)
    if (waits := change.waits) is None or waits.pause is None:
        return
    until = None if isinstance(waits.pause, str) else now() + microseconds(waits.pause)
    here = (_progress.execution_id == change.execution, _progress.stage == waits.stage, _progress.waits.is_(None))
    connection.execute(update(t.progress).where(*here).values(waits=waits.waits, opens_at=until))


def _ready(start: Start) -> tuple[str | None, dict[str, Any]]:
    return start.agent_id, {"step_execution": start.step_id, "step": start.step, "attempt": None}
