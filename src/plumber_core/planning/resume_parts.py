"""What a resume lays anew where a plan has parts, and how its parts stand then: pure functions of the newest rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from plumber_core.model.parts import Outcome, Part
from plumber_core.model.plan import Plan
from plumber_core.model.rounds import Cells, Laid, PartState, Place, Wish
from plumber_core.model.states import StepState
from plumber_core.planning.catch_up import CaughtUp, catch_up
from plumber_core.planning.catch_up_parts import catch_up_parts
from plumber_core.planning.graph import Standing, in_order
from plumber_core.planning.rounds import standing


def with_parts(plan: Plan, cells: Cells, laid: Laid, wish: Wish) -> Laid:
    """Return what runs anew with all that asks how it went: conditions behind it are asked again, and what always runs
    does so on the hosts that go on, or where it runs at all if none of them has it."""
    anew = set(laid.anew)
    pending: set[int] = set()
    for index in in_order(plan.parts):
        part = plan.parts[index]
        mine = set(_places(plan, part))
        if part.after_failure and not pending.isdisjoint(part.needs):
            anew |= _chosen(cells, mine, wish)
        if not part.always and (mine & anew or not pending.isdisjoint(part.needs)):
            pending.add(index)
    hosts = {cells[place].host for place in anew}
    for part in plan.parts:
        mine = set(_places(plan, part)) if part.always else set()
        here = {place for place in mine if cells[place].host in hosts}
        anew |= here or _chosen(cells, mine, wish)
    return replace(laid, anew=frozenset(anew), passed=laid.passed - anew)


def _chosen(cells: Cells, places: Iterable[Place], wish: Wish) -> set[Place]:
    return {place for place in places if wish.hosts is None or cells[place].host in wish.hosts}


def _places(plan: Plan, part: Part) -> Iterator[Place]:
    for stage in (plan.stages[number] for number in part.stages):
        yield from ((step, lane) for step in stage.chain for lane in stage.lanes)


def stands(plan: Plan, cells: Cells, laid: Laid) -> CaughtUp:
    """Return where an execution stands with what is laid anew; parts wait for their turn."""
    seen = standing(cells, laid)
    if not plan.parts:
        return catch_up(plan, seen)
    return catch_up_parts(plan, seen, Standing({}, frozenset()), forgotten=False)


def part_states(plan: Plan, cells: Cells, laid: Laid) -> tuple[PartState, ...]:
    """Return how each part stands: one with anything anew waits for its turn, any other has ended and stands in
    nobody's way."""
    return tuple(_state(plan, cells, laid, part) for part in plan.parts if part.stages)


def _state(plan: Plan, cells: Cells, laid: Laid, part: Part) -> PartState:
    places = list(_places(plan, part))
    if any(place in laid.anew for place in places):
        return PartState(part.first, part.stop, None)
    ran = any(cells[place].state is StepState.SUCCEEDED for place in places)
    outcome: Outcome = "succeeded" if ran else "passed"
    return PartState(part.first, part.stop, outcome)
