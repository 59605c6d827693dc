"""What a resume lays anew, and where the execution stands with it: pure functions of the plan and the newest rows."""

from __future__ import annotations

from collections import Counter

from plumber_core.errors import Conflict
from plumber_core.model.plan import Plan
from plumber_core.model.rounds import Cell, Cells, Laid, Place, Touched, Wish
from plumber_core.model.states import TERMINAL_STEP_STATES, StepState
from plumber_core.reasons import because

BROKEN = frozenset({StepState.FAILED, StepState.TIMED_OUT, StepState.LOST, StepState.EXPIRED, StepState.REJECTED})
"""How a step ends that did not do what it was to do, and was not stopped by anybody."""


def is_well(plan: Plan, step: int, cell: Cell) -> bool:
    """Say whether nothing is left to do: it succeeded, its failure was allowed, or a person has said so."""
    if cell.state is StepState.SUCCEEDED or cell.passed:
        return True
    if cell.by_hand is not None:
        return cell.state in TERMINAL_STEP_STATES
    return is_tolerated(plan, step, cell)


def is_tolerated(plan: Plan, step: int, cell: Cell) -> bool:
    """Say whether a step has failed that may fail."""
    return cell.state in BROKEN and plan.steps[step].on_failure == "continue"


def has_failed(plan: Plan, step: int, cell: Cell) -> bool:
    """Say whether a step has failed, or was ended while it ran: what was never begun has not."""
    if is_well(plan, step, cell):
        return False
    return cell.state in BROKEN or (cell.state is StepState.CANCELLED and cell.begun)


def lay(plan: Plan, cells: Cells, wish: Wish) -> Laid:
    """Return what a resume runs anew.

    What has ended well runs again only on chosen hosts from the chosen step on. What lies before that step and has not
    ended well is passed.

    Raises: Conflict (there is nothing of it, or the step does not run on these hosts).
    """
    hosts = _hosts(plan, cells, wish)
    open_ = {place for place, cell in cells.items() if cell.host in hosts and not is_well(plan, place[0], cell)}
    if wish.step is None:
        laid = Laid(frozenset(open_))
    else:
        behind = {place for place, cell in cells.items() if cell.host in hosts and place[0] >= wish.step}
        laid = Laid(
            frozenset(behind | _elsewhere(plan, cells, wish, behind)),
            frozenset(place for place in open_ if place[0] < wish.step),
        )
    if not laid.anew:
        raise Conflict(reason=because("resume_nothing"))
    return laid


def _hosts(plan: Plan, cells: Cells, wish: Wish) -> set[str]:
    """Return the hosts that go on."""
    if wish.hosts is not None and wish.what == "rest":
        return set(wish.hosts)
    wanted = has_failed if wish.what == "failed" else _is_open
    found = {cell.host for (step, _), cell in cells.items() if wanted(plan, step, cell)}
    return found if wish.hosts is None else found & wish.hosts


def _is_open(plan: Plan, step: int, cell: Cell) -> bool:
    return not is_well(plan, step, cell)


def _elsewhere(plan: Plan, cells: Cells, wish: Wish, behind: set[Place]) -> set[Place]:
    """Return the chosen step wherever it runs, if none of the hosts has it: a build on a host of its own."""
    if any(step == wish.step for step, _ in behind):
        return set()
    if wish.hosts is not None:
        assert wish.step is not None
        raise Conflict(reason=because("resume_not_there", step=plan.steps[wish.step].name))
    return {place for place in cells if place[0] == wish.step}


def standing(cells: Cells, laid: Laid) -> dict[Place, StepState]:
    """Return the cells as ``catch_up`` is to see them: what is not laid anew stands in nobody's way."""
    return {place: StepState.BLOCKED if place in laid.anew else StepState.SUCCEEDED for place in cells}


def warnings(plan: Plan, cells: Cells, laid: Laid) -> int:
    """Count the failures that were allowed and stay."""
    kept = ((place, cell) for place, cell in cells.items() if place not in laid.anew)
    return sum(is_tolerated(plan, place[0], cell) and cell.by_hand is None for place, cell in kept)


def left_out(plan: Plan, cells: Cells, laid: Laid) -> set[str]:
    """Return the hosts on which something stays that has not ended well."""
    touched = laid.anew | laid.passed
    return {cell.host for place, cell in cells.items() if place not in touched and not is_well(plan, place[0], cell)}


def touched(cells: Cells, laid: Laid) -> Touched:
    """Return what is laid anew and passed, host by host."""
    return Touched(_by_host(cells, laid.anew), _by_host(cells, laid.passed))


def _by_host(cells: Cells, places: frozenset[Place]) -> dict[str, tuple[int, ...]]:
    found: dict[str, list[int]] = {}
    for step, lane in sorted(places):
        found.setdefault(cells[step, lane].host, []).append(step)
    return {host: tuple(steps) for host, steps in found.items()}


def unknown(cells: Cells, laid: Laid) -> Counter[str]:
    """Count, by host, what runs anew although nobody knows how it ended: it may still run."""
    return Counter(cells[place].host for place in laid.anew if cells[place].state is StepState.LOST)
