"""Batches: stages that wait, and rollouts that stop. See ``hot.py`` for what every report writes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, bindparam, or_, select

from plumber_core.model.batch_records import BatchOpening
from plumber_core.model.states import ExecutionState
from plumber_core.storage import hot
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import StorePart, dumps, now
from plumber_core.storage.store.newest import newest
from plumber_core.storage.store.writing import (
    asks_json,
    opens,
    passed_event,
    passed_json,
    started_event,
    starts_json,
    told_event,
)

_execution, _step, _attempt, _progress = t.executions.c, t.step_executions.c, t.attempts.c, t.progress.c
_OUTPUTS = (
    select(_step.step, _step.agent_id, _attempt.outputs)
    .join(t.attempts, _attempt.id == _step.attempt_id)
    .where(
        _step.execution_id == bindparam("execution"),
        _step.step.in_(bindparam("steps", expanding=True)),
        _attempt.state == "succeeded",
        newest(),
    )
)
_DUE = (
    select(_progress.execution_id, _progress.stage)
    .join(t.executions, _execution.id == _progress.execution_id)
    .where(
        _progress.opens_at <= now(),
        _execution.state == "running",
        # Where parts have ended somebody has to look, cancelled or not.
        or_(_execution.cancel_requested.is_(False), _progress.outcome.is_not(None)),
    )
)
_OUTPUTS_HERE = _OUTPUTS.where(_step.agent_id == bindparam("agent"))


class BatchPart(StorePart):
    """Implements ``ports.BatchStore``."""

    async def open_batch(self, opening: BatchOpening) -> bool:
        entered, ends = opening.entered, opening.execution_state is not None
        ends_part = opening.outcome_of_part is not None
        other = entered is not None and entered.stage != opening.stage
        script = hot.open_batch(
            starts=bool(opening.starts),
            opens=other,
            ends=ends,
            ends_part=ends_part,
            passes=bool(opening.passed),
            asks=any(start.wants for start in opening.starts),
        )
        return await self.hot("open_batch", script, _opening_parameters(opening))

    async def due_batches(self) -> list[tuple[str, int]]:
        return await self.read(due_batches)

    async def outputs(
        self, execution_id: str, steps: Sequence[int], agent: str | None = None
    ) -> list[tuple[int, str, dict[str, str]]]:
        query = _OUTPUTS if agent is None else _OUTPUTS_HERE
        values = {"execution": execution_id, "steps": list(steps), **({"agent": agent} if agent is not None else {})}
        rows = await self.read(lambda connection: connection.execute(query, values).all())
        return [(step, host, json.loads(outputs)) for step, host, outputs in rows]


def due_batches(connection: Connection) -> list[tuple[str, int]]:
    """Find the stages whose pauses are over, and those with which parts have ended, in the caller's transaction."""
    return [(row[0], row[1]) for row in connection.execute(_DUE)]


def _opening_parameters(opening: BatchOpening) -> dict[str, Any]:
    entered, state = opening.entered, opening.execution_state
    events = [*map(told_event, opening.told), *map(passed_event, opening.passed), *map(started_event, opening.starts)]
    if state is not None:
        data = {"problem": opening.problem} if opening.problem else {}
        events.append(told_event((f"execution.{ExecutionState(state)}", data)))
    return {
        "execution": opening.execution,
        "stage": opening.stage,
        "control": opening.control,
        "forced": int(opening.forced),
        "part_stop": opening.part_stop,
        "outcome_of_part": opening.outcome_of_part,
        "passed": passed_json(opening.passed),
        "starts": starts_json(opening.starts),
        "asks": asks_json(opening.execution, opening.starts),
        **opens(entered),
        "execution_state": state.value if state else None,
        "warnings": 0,
        "problem": dumps(opening.problem) if opening.problem else None,
        "events": dumps(events),
    }
