"""Reads for pictures of many rows: plain tuples, no object for a cell."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, func, select, tuple_

from plumber_core.model import records as r
from plumber_core.model.plan import Plan
from plumber_core.model.states import StepState
from plumber_core.storage import tables as t
from plumber_core.storage.store.agents import awaited
from plumber_core.storage.store.base import StorePart, attempt_row, step_row
from plumber_core.storage.store.events import last_cursor
from plumber_core.storage.store.executions import SUMMARY, execution_row, progress_of, waiting_step_row, with_agents
from plumber_core.storage.store.newest import newest

_execution, _step, _attempt, _event, _task, _revision = (
    t.executions.c,
    t.step_executions.c,
    t.attempts.c,
    t.events.c,
    t.tasks.c,
    t.revisions.c,
)
_OPEN = ("queued", "running", "paused")
_CELL = (_step.step, _step.agent_id, _step.state, _step.started_at, _step.ended_at)
_DEEDS = (
    "execution.cancel_requested",
    "execution.cancel_reason",
    "execution.resumed",
    "execution.host_cancelled",
    "execution.step_cancelled",
    "execution.paused",
    "execution.continued",
    "batch.go",
    "execution.step_retry",
    "execution.step_skip",
    "execution.step_done",
)
"""What people do to an execution, as the event log tells it."""
MOST_LISTED = 200
MOST_COUNTED = 1000


class OverviewPart(StorePart):
    """Implements ``ports.OverviewStore``."""

    async def matrix(self, execution_id: str) -> r.MatrixRows | None:
        query = (
            select(*_CELL, _attempt.exit_code, _step.lane)
            .select_from(t.step_executions.outerjoin(t.attempts, _attempt.id == _step.attempt_id))
            .where(_step.execution_id == execution_id)
            .order_by(_step.step, _step.lane, _step.round)
        )

        def work(connection: Connection) -> r.MatrixRows | None:
            row = connection.execute(select(t.executions).where(_execution.id == execution_id)).first()
            if row is None:
                return None
            cells = _cells(connection.execute(query).all(), row.round)
            plan = Plan.from_json(json.loads(row.plan))
            awaiting = with_agents(_step.execution_id == execution_id, _step.state == "ready", awaited())
            agents = frozenset(step.agent_id for step in connection.execute(awaiting))
            counters, stages = _stages(connection, execution_id, row.round) if plan.has_rollouts else ([], {})
            return r.MatrixRows(execution_row(row), plan, cells, last_cursor(connection), agents, counters, stages)

        return await self.database.snapshot(work)

    async def ready_steps(self, execution_id: str, limit: int) -> list[r.StepRow]:
        query = with_agents(_step.execution_id == execution_id, _step.state == "ready", _step.pool.is_(None))
        ordered = query.order_by(_step.step, _step.lane).limit(limit)
        return [waiting_step_row(row) for row in await self.look(lambda connection: connection.execute(ordered).all())]

    async def stages(self, execution_id: str) -> tuple[list[r.Progress], dict[int, Counter[StepState]]]:
        def work(connection: Connection) -> tuple[list[r.Progress], dict[int, Counter[StepState]]]:
            rounds = select(_execution.round).where(_execution.id == execution_id)
            return _stages(connection, execution_id, connection.execute(rounds).scalar_one_or_none() or 0)

        return await self.look(work)

    async def step_rounds(
        self, execution_id: str, step: int, agent_id: str
    ) -> tuple[list[r.StepRow], list[r.AttemptRow]]:
        where = (_step.execution_id == execution_id, _step.step == step, _step.agent_id == agent_id)
        query = with_agents(*where).order_by(_step.round.desc())

        def work(connection: Connection) -> tuple[list[r.StepRow], list[r.AttemptRow]]:
            rounds = [waiting_step_row(row) for row in connection.execute(query)]
            mine = _attempt.step_execution_id.in_([row.id for row in rounds])
            tries = select(t.attempts).where(mine).order_by(_attempt.number)
            return rounds, [attempt_row(row) for row in connection.execute(tries)]

        return await self.look(work)

    async def step_ends(self, execution_id: str, step: int) -> list[tuple[r.StepRow, r.AttemptRow | None]]:
        query = (
            select(t.step_executions, t.attempts)
            .select_from(t.step_executions.outerjoin(t.attempts, _attempt.id == _step.attempt_id))
            .where(_step.execution_id == execution_id, _step.step == step)
            .order_by(_step.lane, _step.round)
        )
        rows = await self.look(lambda connection: connection.execute(query).all())
        return [(step_row(row), attempt_row(row) if row._mapping[_attempt.id] else None) for row in rows]

    async def log_sources(
        self, execution_id: str, step: int | None, agents: Sequence[str] | None, limit: int
    ) -> list[tuple[Any, ...]]:
        columns = (_attempt.id, _step.step, _step.agent_id, _attempt.number, _attempt.started_at)
        query = select(*columns, _attempt.log_end, _attempt.log_state).join(t.attempts, _attempt.id == _step.attempt_id)
        query = query.where(_step.execution_id == execution_id)
        if step is not None:
            query = query.where(_step.step == step)
        if agents is not None:
            query = query.where(_step.agent_id.in_(list(agents)))
        query = query.order_by(_attempt.started_at, _attempt.id).limit(limit)
        return [tuple(row) for row in await self.look(lambda connection: connection.execute(query).all())]

    async def operations_on(self, execution_id: str) -> list[r.EventRow]:
        query = select(_event.at, _event.kind, _event.data).order_by(_event.xid, _event.id)
        query = query.where(_event.execution_id == execution_id, _event.kind.in_(_DEEDS)).limit(MOST_LISTED)
        rows = await self.look(lambda connection: connection.execute(query).all())
        return [r.EventRow("", row.at, row.kind, execution_id, None, json.loads(row.data)) for row in rows]

    async def running_and_failed(self, since: int) -> tuple[list[r.ExecutionRow], list[r.ExecutionRow]]:
        newest = select(*SUMMARY).order_by(_execution.id.desc()).limit(MOST_LISTED)
        running = newest.where(_execution.state.in_(_OPEN))
        failed = newest.where(_execution.state == "failed", _execution.ended_at >= since)

        def work(connection: Connection) -> tuple[list[r.ExecutionRow], list[r.ExecutionRow]]:
            first, second = connection.execute(running).all(), connection.execute(failed).all()
            return [execution_row(row) for row in first], [execution_row(row) for row in second]

        return await self.look(work)

    async def state_counts(self, executions: Sequence[str]) -> dict[str, dict[str, int]]:
        query = select(_step.execution_id, _step.state, func.count()).group_by(_step.execution_id, _step.state)
        renewed = select(_execution.id).where(_execution.id.in_(list(executions)), _execution.round > 0)

        def work(connection: Connection) -> dict[str, dict[str, int]]:
            several = set(connection.execute(renewed).scalars())
            once = query.where(_step.execution_id.in_([one for one in executions if one not in several]))
            rows = connection.execute(once).all()
            if several:
                rows = [*rows, *connection.execute(query.where(_step.execution_id.in_(several), newest())).all()]
            counts: dict[str, dict[str, int]] = {}
            for execution, state, count in rows:
                counts.setdefault(execution, {})[state] = count
            return counts

        return await self.look(work)

    async def recent_results(
        self, tasks: Sequence[str], each: int
    ) -> dict[str, list[tuple[str, str, int, int | None]]]:
        columns = (_execution.id, _execution.state, _execution.created_at, _execution.ended_at)

        def work(connection: Connection) -> dict[str, list[tuple[str, str, int, int | None]]]:
            found = {}
            for task in tasks:
                # One look into an index for each task; a window over all of them would read the whole history.
                query = select(*columns).where(_execution.task_id == task).order_by(_execution.id.desc()).limit(each)
                found[task] = [(row[0], row[1], row[2], row[3]) for row in connection.execute(query)]
            return found

        return await self.look(work)

    async def definitions(self, revisions: Sequence[tuple[str, int]]) -> dict[str, dict[str, Any]]:
        wanted = tuple_(_revision.task_id, _revision.number).in_(list(revisions))
        query = select(_revision.task_id, _revision.definition).where(wanted)
        rows = await self.look(lambda connection: connection.execute(query).all())
        return {task: json.loads(definition) for task, definition in rows}

    async def totals(self) -> tuple[int, int]:
        some = select(_execution.id).limit(MOST_COUNTED).subquery()
        tasks = select(func.count()).select_from(t.tasks).where(_task.deleted_at.is_(None))

        def work(connection: Connection) -> tuple[int, int]:
            executions = connection.execute(select(func.count()).select_from(some)).scalar_one()
            return int(connection.execute(tasks).scalar_one()), int(executions)

        return await self.look(work)


def _cells(rows: Sequence[Any], round_: int) -> list[tuple[Any, ...]]:
    """Return cells without their lanes, each in its newest round."""
    if not round_:
        return [tuple(row)[:-1] for row in rows]
    return list({(row.step, row.lane): tuple(row)[:-1] for row in rows}.values())


def _stages(
    connection: Connection, execution_id: str, round_: int
) -> tuple[list[r.Progress], dict[int, Counter[StepState]]]:
    query = select(_step.stage, _step.state, func.count()).where(_step.execution_id == execution_id)
    if round_:
        query = query.where(newest())
    counts: dict[int, Counter[StepState]] = {}
    for stage, state, count in connection.execute(query.group_by(_step.stage, _step.state)):
        counts.setdefault(stage, Counter())[StepState(state)] = count
    return progress_of(connection, execution_id), counts
