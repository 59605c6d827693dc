"""Which row of a step on a host is the newest: that of the highest round."""

from __future__ import annotations

from typing import Any

from sqlalchemy import ColumnElement, and_, exists, or_

from plumber_core.model.states import TERMINAL_STEP_STATES, StepState
from plumber_core.storage import tables as t

_step = t.step_executions.c
_ENDS = frozenset(state.value for state in TERMINAL_STEP_STATES)


def newest() -> ColumnElement[bool]:
    """Return the condition that no later round has a row for the same step and lane.

    Two looks, because rows are found by their agent and not by their lane; only a pool's lane changes its agent.
    """
    later = t.step_executions.alias()
    same = and_(later.c.execution_id == _step.execution_id, later.c.step == _step.step, later.c.round > _step.round)
    here = exists().where(same, later.c.agent_id == _step.agent_id, later.c.lane == _step.lane)
    elsewhere = exists().where(same, later.c.lane == _step.lane)
    return and_(~here.correlate(t.step_executions), or_(_step.pool.is_(None), ~elsewhere.correlate(t.step_executions)))


def seen(row: Any, resumed: int) -> StepState:
    """Return the state of a row as what follows depends on it.

    What a person has skipped or marked as done stands in nobody's way, nor does what was left as it was when the
    execution was resumed, in round ``resumed``.
    """
    passed = row.by_hand is not None or row.round < resumed
    return StepState.SUCCEEDED if passed and row.state in _ENDS else StepState(row.state)
