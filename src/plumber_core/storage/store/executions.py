"""Executions, their steps and attempts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, Row, case, func, literal, or_, select, update

from plumber_core.model import records as r
from plumber_core.model.plan import Plan
from plumber_core.model.states import LIVE_STEP_STATES, WAITING_STEP_STATES, ExecutionState
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import (
    StorePart,
    attempt_row,
    dumps,
    insert_event,
    now,
    optional_json,
    step_row,
)
from plumber_core.storage.store.events import last_cursor

_execution, _step, _attempt, _progress = t.executions.c, t.step_executions.c, t.attempts.c, t.progress.c
_WAITING = [state.value for state in WAITING_STEP_STATES]
_LIVE = [state.value for state in LIVE_STEP_STATES]
SUMMARY = tuple(column for column in t.executions.c if column.name not in ("plan", "request_id"))


class ExecutionPart(StorePart):
    """Implements the part of ``ports.ExecutionStore`` that is not hot."""

    async def load(self, execution_id: str) -> tuple[r.ExecutionRow, Plan, list[r.Progress]] | None:
        return await self.read(lambda connection: _load(connection, execution_id))

    async def picture(self, execution_id: str) -> r.Picture | None:
        def work(connection: Connection) -> r.Picture | None:
            loaded = _load(connection, execution_id)
            if loaded is None:
                return None
            steps = select(t.step_executions).where(_step.execution_id == execution_id)
            steps = steps.order_by(_step.step, _step.lane, _step.round)
            attempts = select(t.attempts).where(_attempt.execution_id == execution_id).order_by(_attempt.number)
            return r.Picture(
                loaded[0],
                loaded[1],
                [step_row(row) for row in connection.execute(steps)],
                [attempt_row(row) for row in connection.execute(attempts)],
                last_cursor(connection),
            )

        return await self.database.snapshot(work)

    async def step_of(self, attempt_id: str) -> tuple[r.StepRow, r.AttemptRow] | None:
        query = (
            select(t.step_executions, t.attempts)
            .join(t.attempts, _attempt.step_execution_id == _step.id)
            .where(_attempt.id == attempt_id)
        )
        row = await self.read(lambda connection: connection.execute(query).first())
        return (step_row(row), attempt_row(row)) if row else None

    async def outputs(self, execution_id: str, steps: Sequence[int]) -> list[tuple[int, str, dict[str, str]]]:
        query = (
            select(_step.step, _step.agent_id, _attempt.outputs)
            .join(t.attempts, _attempt.id == _step.attempt_id)
            .where(_step.execution_id == execution_id, _step.step.in_(list(steps)), _attempt.state == "succeeded")
        )
        rows = await self.read(lambda connection: connection.execute(query).all())
        return [(step, agent, json.loads(outputs)) for step, agent, outputs in rows]

    async def requeue(self, attempt_id: str, agent_id: str) -> bool:
        given = ("claimed", "running", "unreachable")

        def work(connection: Connection) -> bool:
            which = (
                _step.attempt_id == attempt_id,
                _step.agent_id == agent_id,
                _step.state.in_(given),
                _step.cancel_requested.is_(False),
            )
            values = {"state": "ready", "attempt_id": None, "ready_at": now(), "started_at": None}
            row = connection.execute(
                update(t.step_executions).where(*which).values(**values).returning(_step.execution_id)
            ).first()
            if row is None:
                return False
            ended = {"ended_at": now(), "state": "never_ran", "log_state": "complete"}
            connection.execute(update(t.attempts).where(_attempt.id == attempt_id).values(**ended))
            insert_event(connection, "step.ready", row.execution_id, agent_id, {"attempt": attempt_id})
            return True

        return await self.write(work)

    async def store_late(self, attempt_id: str, agent_id: str, outcome: dict[str, Any]) -> str:
        def work(connection: Connection) -> str:
            query = select(t.attempts).where(_attempt.id == attempt_id, _attempt.agent_id == agent_id)
            row = connection.execute(query.with_for_update()).first()
            if row is None:
                return "unknown"
            attempt = attempt_row(row)
            known = attempt.outcome if attempt.outcome is not None else attempt.late
            if known is not None:
                return "duplicate" if known == outcome else "conflict"
            values = {"late": dumps(outcome), "log_total": outcome.get("log_end", 0)}
            connection.execute(update(t.attempts).where(_attempt.id == attempt_id).values(**values))
            insert_event(connection, "step.late", attempt.execution_id, agent_id, {"attempt": attempt_id})
            return "late"

        return await self.write(work)

    async def cancel(self, execution_id: str, kill: bool) -> list[r.StepRow] | None:
        return await self.write(lambda connection: _cancel(connection, execution_id, kill))

    async def list_executions(
        self, task_id: str | None, state: ExecutionState | None, search: str, limit: int, before: str | None
    ) -> list[r.ExecutionRow]:
        query = select(*SUMMARY).order_by(_execution.id.desc()).limit(limit)
        if task_id is not None:
            query = query.where(_execution.task_id == task_id)
        if state is not None:
            query = query.where(_execution.state == state.value)
        if search:
            query = query.where(func.lower(_execution.task).contains(search.lower(), autoescape=True))
        if before is not None:
            query = query.where(_execution.id < before)
        return [execution_row(row) for row in await self.read(lambda connection: connection.execute(query).all())]

    async def count_running(self) -> int:
        """Return how many executions have not ended."""
        open_states = ("queued", "running", "paused")
        query = select(func.count()).select_from(t.executions).where(_execution.state.in_(open_states))
        return int(await self.read(lambda connection: connection.execute(query).scalar_one()))

    async def find_request(self, request_id: str) -> str | None:
        query = select(_execution.id).where(_execution.request_id == request_id)
        return await self.read(lambda connection: connection.execute(query).scalar_one_or_none())


def _load(connection: Connection, execution_id: str) -> tuple[r.ExecutionRow, Plan, list[r.Progress]] | None:
    row = connection.execute(select(t.executions).where(_execution.id == execution_id)).first()
    if row is None:
        return None
    columns = (_progress.stage, _progress.remaining, _progress.failed, _progress.control)
    query = select(*columns).where(_progress.execution_id == execution_id).order_by(_progress.stage)
    stages = [r.Progress(*values) for values in connection.execute(query)]
    return execution_row(row), Plan.from_json(json.loads(row.plan)), stages


def _cancel(connection: Connection, execution_id: str, kill: bool) -> list[r.StepRow] | None:
    """Locks in the order of the reports: counters first, then steps, then the execution."""
    counters = select(_progress.stage).where(_progress.execution_id == execution_id).order_by(_progress.stage)
    stages = list(connection.execute(counters.with_for_update()).scalars())
    wanted = {"cancel_requested": True, "kill_requested": or_(_execution.kill_requested, literal(kill))}
    open_states = ("queued", "running", "paused")
    mine = (_execution.id == execution_id, _execution.state.in_(open_states))
    if connection.execute(update(t.executions).where(*mine).values(**wanted)).rowcount != 1:
        return None
    following = case(
        (_step.state.in_(_WAITING), "cancelled"), (_step.state == "running", "cancelling"), else_=_step.state
    )
    ended = case((_step.state.in_(_WAITING), now()), else_=_step.ended_at)
    touched = _step.state.in_([*_WAITING, *_LIVE])
    values = {"state": following, "ended_at": ended, "cancel_requested": True}
    connection.execute(update(t.step_executions).where(_step.execution_id == execution_id, touched).values(**values))
    query = select(t.step_executions).where(_step.execution_id == execution_id, _step.state.in_(_LIVE))
    live = [step_row(row) for row in connection.execute(query)]
    _count_again(connection, execution_id, stages, live)
    insert_event(connection, "execution.cancel_requested", execution_id, None, {"kill": kill, "running": len(live)})
    if not live:
        done = {"state": ExecutionState.CANCELLED.value, "ended_at": now()}
        connection.execute(update(t.executions).where(_execution.id == execution_id).values(**done))
        insert_event(connection, "execution.cancelled", execution_id, None, {})
    return live


def _count_again(connection: Connection, execution_id: str, stages: list[int], live: list[r.StepRow]) -> None:
    lanes: dict[int, set[int]] = {}
    for step in live:
        lanes.setdefault(step.stage, set()).add(step.lane)
    for stage in stages:
        values = {"remaining": len(lanes.get(stage, ())), "control": _progress.control + 1}
        which = (_progress.execution_id == execution_id, _progress.stage == stage)
        connection.execute(update(t.progress).where(*which).values(**values))


def execution_row(row: Row[Any]) -> r.ExecutionRow:
    """Read a row of ``executions``."""
    return r.ExecutionRow(
        id=row.id,
        task_id=row.task_id,
        task=row.task,
        revision=row.revision,
        state=ExecutionState(row.state),
        requested_by=row.requested_by,
        reason=row.reason,
        created_at=row.created_at,
        ended_at=row.ended_at,
        warnings=row.warnings,
        cancel_requested=row.cancel_requested,
        kill_requested=row.kill_requested,
        problem=optional_json(row.problem),
        parameters=json.loads(row.parameters),
    )
