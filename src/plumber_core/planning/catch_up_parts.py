"""Where an execution stands whose plan has parts, when its steps may have ended in any order: part by part."""

from __future__ import annotations

from plumber_core.model.parts import Outcome
from plumber_core.model.plan import Plan
from plumber_core.model.states import StepState
from plumber_core.planning.catch_up import CaughtUp, Cells, Walk
from plumber_core.planning.graph import Standing

_UNTOUCHED = frozenset({StepState.BLOCKED, StepState.SKIPPED, StepState.CANCELLED})


def catch_up_parts(plan: Plan, cells: Cells, standing: Standing, *, forgotten: bool = True) -> CaughtUp:
    """Return where each part stands, and what can be set going in those that have begun.

    Which others begin, and whether the execution ends, follows from that by ``graph.follow``.

    Args:
        plan: the frozen plan, which has parts.
        cells: every step's state.
        standing: how its parts stand by the counters.
        forgotten: the counters may know less than the steps: commits were lost.
    """
    found = CaughtUp()
    for index, part in enumerate(plan.parts):
        cancelled = standing.always_cancelled if part.always else standing.cancelled
        touched = forgotten and any(_is_touched(plan, cells, stage) for stage in part.stages)
        begun = touched or index in standing.begun
        # In a part whose turn has not come nothing is set going, as if something before it had not ended.
        walk = Walk(plan, cells, cancelled or not begun, found)
        for stage in part.stages:
            walk.visit(stage)
        if not begun or index in standing.outcomes or not part.stages:
            continue
        found.begun.append(part.first)
        if not any(remaining for remaining, _ in found.counters[part.first : part.stop]):
            found.outcomes.append((part.first, _outcome(walk.stopped, cancelled, standing.timed_out)))
    return found


def _is_touched(plan: Plan, cells: Cells, stage: int) -> bool:
    chain, lanes = plan.stages[stage].chain, plan.stages[stage].lanes
    return any(cells[step, lane] not in _UNTOUCHED for step in chain for lane in lanes)


def _outcome(stopped: bool, cancelled: bool, timed_out: bool) -> Outcome:
    if cancelled:
        return "failed" if timed_out else "cancelled"
    return "failed" if stopped else "succeeded"
