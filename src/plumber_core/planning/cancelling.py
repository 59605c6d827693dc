"""Which steps the cancel of a host, or of a step, touches: a pure function of the newest rows."""

from __future__ import annotations

from collections.abc import Collection

from plumber_core.model.cancelling import Touched
from plumber_core.model.rounds import Cells, Place
from plumber_core.model.states import LIVE_STEP_STATES, TERMINAL_STEP_STATES, StepState

_WAITING = frozenset({StepState.READY, StepState.CLAIMED, StepState.RETRY_WAIT})


def of_hosts(cells: Cells, hosts: Collection[str]) -> Touched:
    """Return all that hosts have not ended: they are out of the execution from now on."""
    return _touched(cells, [place for place, cell in cells.items() if cell.host in hosts], {StepState.BLOCKED})


def of_step(cells: Cells, step: int, hosts: Collection[str] | None) -> Touched:
    """Return where a step has been set going and has not ended: on these hosts, or on all."""
    places = [place for place, cell in cells.items() if place[0] == step and (hosts is None or cell.host in hosts)]
    return _touched(cells, places, set())


def _touched(cells: Cells, places: list[Place], also: set[StepState]) -> Touched:
    open_ = [place for place in places if cells[place].state not in TERMINAL_STEP_STATES]
    waiting = tuple(place for place in open_ if cells[place].state in _WAITING | also)
    claimed = StepState.CLAIMED
    live = (place for place in open_ if cells[place].state in LIVE_STEP_STATES and cells[place].state is not claimed)
    return Touched(waiting, tuple(live))
