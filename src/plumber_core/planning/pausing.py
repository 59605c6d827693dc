"""When an execution pauses by itself, and what a pause has kept back: pure functions of the newest rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from plumber_core.model.plan import Plan
from plumber_core.model.rounds import Cell, Cells, Place
from plumber_core.model.states import TERMINAL_STEP_STATES, StepState
from plumber_core.planning.catch_up import CaughtUp
from plumber_core.planning.limits import most_failed
from plumber_core.planning.rounds import BROKEN


def pauses(plan: Plan, step: int, state: StepState, *, cancelled: bool) -> bool:
    """Say whether the execution pauses because a step has ended like this, of an execution that is not cancelled."""
    return not cancelled and state in BROKEN and plan.steps[step].on_failure == "pause"


def passed_over(plan: Plan, cells: Cells, open_stages: Collection[int]) -> tuple[Place, ...]:
    """Return what has failed, as which people have seen it, and nobody has taken in hand: to go on passes it over.

    ``open_stages`` had not ended when the execution paused.
    """
    return tuple(place for place, cell in cells.items() if _is_passed_over(plan, place, cell, open_stages))


def _is_passed_over(plan: Plan, place: Place, cell: Cell, open_stages: Collection[int]) -> bool:
    failed = cell.by_hand is None and pauses(plan, place[0], cell.state, cancelled=False)
    return failed and plan.stage_of(*place) in open_stages


def as_seen(cells: Cells, resumed: int) -> dict[Place, StepState]:
    """Return the states of rows as what follows depends on them; ``resumed`` is the round of the last resume."""
    return {place: seen(cell, resumed) for place, cell in cells.items()}


def seen(cell: Cell, resumed: int) -> StepState:
    """Return the state of a row as what follows depends on it."""
    passed = cell.round < resumed or cell.passed or cell.by_hand is not None
    return StepState.SUCCEEDED if passed and cell.state in TERMINAL_STEP_STATES else cell.state


def warnings_of_batches(plan: Plan, before: Sequence[int], found: CaughtUp) -> int:
    """Count the hosts that were allowed to fail in batches that have ended during the pause.

    ``before`` is how many lanes of each stage had not ended.
    """
    total = 0
    for number, stage in enumerate(plan.stages):
        remaining, failed = found.counters[number]
        ended = stage.batch is not None and before[number] > 0 and remaining == 0
        if ended and failed <= most_failed(stage, found.carried[number]):
            total += failed
    return total
