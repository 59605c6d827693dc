"""What follows when somebody takes one step on one host into his own hands: a pure function of the newest rows."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from plumber_core.errors import Conflict
from plumber_core.model.plan import Plan
from plumber_core.model.rounds import ByHand, Cell, Cells, Deed, Place
from plumber_core.model.states import TERMINAL_STEP_STATES, ExecutionState, StepState
from plumber_core.planning.catch_up import CaughtUp, catch_up
from plumber_core.planning.catch_up_parts import catch_up_parts
from plumber_core.planning.graph import Standing
from plumber_core.planning.pausing import as_seen
from plumber_core.planning.rounds import has_failed, is_well
from plumber_core.reasons import because

_BY_HAND: dict[Deed, ByHand] = {"skip": "skip", "done": "done"}


@dataclass(frozen=True, slots=True)
class Handled:
    """What a deed writes: rows to run ``anew``, the place that is ``passed`` and as what, and where all stands then.

    ``goes_on`` is False when nothing can follow: what is written stands, and the execution stays as it is.
    """

    anew: frozenset[Place]
    passed: dict[Place, ByHand]
    found: CaughtUp
    goes_on: bool


def handle(
    plan: Plan,
    cells: Cells,
    place: Place,
    deed: Deed,
    *,
    resumed: int,
    running: bool,
    open_stages: Collection[int] | None = None,
) -> Handled:
    """Return what follows when a step that has ended badly is tried again, skipped or marked as done.

    What was never begun because of it may begin then; what has failed elsewhere stays so and counts.

    Args:
        plan: the frozen plan.
        cells: the newest rows.
        place: the step on its host.
        deed: what is done with it.
        resumed: the round of the last resume.
        running: the execution has not ended.
        open_stages: the stages that had not ended when it paused, if it has.

    Raises: Conflict (it runs, has ended well, or the execution has gone on without it).
    """
    _check(plan, cells, place, running=running, open_stages=open_stages)
    since = resumed if running else 0
    passed = {place: _BY_HAND[deed]} if deed in _BY_HAND else {}
    anew = {one for one, cell in cells.items() if one != place and _was_kept_from(plan, one, cell, since)}
    states = as_seen(cells, since) | dict.fromkeys(anew, StepState.BLOCKED)
    states[place] = StepState.BLOCKED if deed == "retry" else StepState.SUCCEEDED
    found = _stands(plan, states, open_stages)
    if deed == "retry":
        if place not in found.starts:
            raise Conflict(reason=because("by_hand_not_its_turn", step=plan.steps[place[0]].name))
        anew.add(place)
    if not running and found.execution is ExecutionState.FAILED:
        return Handled(frozenset(), passed, found, goes_on=False)
    return Handled(frozenset(anew - set(found.skips)), passed, found, goes_on=True)


def _stands(plan: Plan, states: Mapping[Place, StepState], open_stages: Collection[int] | None) -> CaughtUp:
    """Return where an execution stands; of one with parts only while it is paused, for then nothing begins with it."""
    if not plan.parts:
        return catch_up(plan, states)
    if open_stages is None:
        raise Conflict(reason=because("by_hand_parts"))
    begun = frozenset(index for index, part in enumerate(plan.parts) if not set(open_stages).isdisjoint(part.stages))
    return catch_up_parts(plan, states, Standing({}, begun), forgotten=False)


def _check(plan: Plan, cells: Cells, place: Place, *, running: bool, open_stages: Collection[int] | None) -> None:
    (step, lane), cell = place, cells[place]
    name = plan.steps[step].name
    if is_well(plan, step, cell):
        raise Conflict(reason=because("by_hand_well", step=name))
    if cell.state not in TERMINAL_STEP_STATES:
        raise Conflict(reason=because("by_hand_open", step=name, state=cell.state.value))
    number = plan.stage_of(step, lane)
    if running and not (_is_open(plan, cells, number) if open_stages is None else number in open_stages):
        raise Conflict(reason=because("by_hand_passed", step=name))


def _is_open(plan: Plan, cells: Cells, number: int) -> bool:
    stage = plan.stages[number]
    return any(cells[one, at].state not in TERMINAL_STEP_STATES for one in stage.chain for at in stage.lanes)


def _was_kept_from(plan: Plan, place: Place, cell: Cell, since: int) -> bool:
    """Say whether a step has ended without being begun, because of what went wrong elsewhere; offline hosts were not
    there."""
    if cell.state not in TERMINAL_STEP_STATES or cell.missed or cell.round < since:
        return False
    return not is_well(plan, place[0], cell) and not has_failed(plan, place[0], cell)
