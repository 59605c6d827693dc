"""One step on one host in somebody's own hands: tried again, skipped, or marked as done, with a reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from plumber_core.engine.core import Engine
from plumber_core.engine.resume import ENDED, begins, host_of, let_begin, step_of, waits_of
from plumber_core.engine.retention import missing
from plumber_core.engine.starts import render
from plumber_core.errors import Conflict, NotFound, Unavailable
from plumber_core.ids import pool_id, step_execution_id
from plumber_core.model.asked import Asked
from plumber_core.model.records import Start
from plumber_core.model.rounds import BlockedRow, ByHand, Deed, NewRow, Place, Renewal, Whole
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.planning.by_hand import Handled, handle
from plumber_core.planning.holds import wanted_by_execution
from plumber_core.reasons import because

TRIES = 5
RUNNING, PAUSED = frozenset({ExecutionState.RUNNING}), frozenset({ExecutionState.PAUSED})
_STATES: dict[ByHand | None, StepState] = {"skip": StepState.SKIPPED, "done": StepState.SUCCEEDED}


@dataclass(frozen=True, slots=True)
class Handling:
    """Who does what with which step, by its name, on which host, and why."""

    deed: Deed
    step: str
    host: str
    by: str
    reason: str


async def take_in_hand(engine: Engine, execution: str, handling: Handling) -> None:
    """Try a step again on one host, skip it or mark it as done; what waited for it may go on.

    Raises: NotFound, Gone, Conflict (it runs, has ended well, its turn has not come or is over), InvalidRequest (what
        would begin cannot be rendered), Unavailable.
    """
    for _ in range(TRIES):
        whole = await engine.store.whole(execution)
        if whole is None:
            raise await missing(engine, "execution", execution)
        if whole.execution.state not in _open(whole):
            raise Conflict(reason=because("by_hand_state", state=whole.execution.state.value))
        await engine.fleet.refresh()
        place = _place(whole, handling)
        handled = handle(
            whole.plan,
            whole.cells,
            place,
            handling.deed,
            resumed=whole.execution.resumed,
            running=not _has_ended(whole),
            open_stages=whole.open_stages if _is_paused(whole) else None,
        )
        if await _write(engine, whole, handling, handled, place):
            return
    raise Unavailable(reason=because("busy"))


def _open(whole: Whole) -> frozenset[ExecutionState]:
    """Return in which states of its execution a step may be taken in hand: not while that is being cancelled."""
    return ENDED if whole.execution.cancel_requested else ENDED | RUNNING | PAUSED


def _is_paused(whole: Whole) -> bool:
    return whole.execution.state is ExecutionState.PAUSED


def _has_ended(whole: Whole) -> bool:
    return whole.execution.state in ENDED


def _place(whole: Whole, handling: Handling) -> Place:
    step, host = step_of(whole.plan, handling.step), host_of(whole.plan, handling.host)
    for place, cell in whole.cells.items():
        if place[0] == step and cell.host == host:
            return place
    raise NotFound(kind="step execution", name=f"{handling.step} {handling.host}", nearest=None)


async def _write(engine: Engine, whole: Whole, handling: Handling, handled: Handled, place: Place) -> bool:
    found, round_ = handled.found, whole.execution.round + 1
    # What begins with it waits for the execution to go on.
    goes_on = handled.goes_on and not _is_paused(whole)

    def row(one: Place) -> BlockedRow:
        number = whole.cells[one].number
        if one not in handled.anew and one not in handled.passed:
            return BlockedRow(whole.cells[one].id, number)
        return BlockedRow(step_execution_id(whole.execution.id, *one, round_), number)

    async def rows(step: int, lanes: Sequence[int]) -> Mapping[int, BlockedRow]:
        return {lane: row((step, lane)) for lane in lanes}

    pairs = sorted(found.starts) if goes_on else []
    starts = await render(engine, whole.plan, whole.execution.id, pairs, rows)
    waits = waits_of(whole.plan, found) if goes_on else None
    change = Renewal(
        execution=whole.execution.id,
        states=next(states for states in (ENDED, RUNNING, PAUSED) if whole.execution.state in states),
        controls=whole.controls,
        round=round_,
        rows=tuple(_new_row(whole, handled, one, row(one).id) for one in sorted(handled.anew | handled.passed.keys())),
        counters=tuple(found.counters),
        carried=tuple(found.carried),
        starts=tuple(starts),
        waits=waits,
        timeout=whole.plan.timeout,
        told=(_told(whole, handling, place), *(begins(whole.plan, found, waits) if _has_ended(whole) else ())),
        resumes=False,
        goes_on=goes_on,
        ends=found.execution if goes_on else None,
        wants=_wants(whole) if goes_on else (),
    )
    if not await engine.store.renew(change):
        return False
    _after(engine, whole, starts)
    return True


def _wants(whole: Whole) -> tuple[Asked, ...]:
    """Return what an execution that has ended has to hold again."""
    return wanted_by_execution(whole.plan) if _has_ended(whole) and whole.plan.has_to_wait else ()


def _new_row(whole: Whole, handled: Handled, place: Place, id_: str) -> NewRow:
    (step, lane), cell, by_hand = place, whole.cells[place], handled.passed.get(place)
    at = whole.plan.stage_of(step, lane)
    stage = whole.plan.stages[at]
    if by_hand is not None:
        return NewRow(id_, at, step, lane, cell.host, _STATES[by_hand], cell.number, by_hand)
    pool = pool_id(stage.pool) if stage.pool else None
    return NewRow(id_, at, step, lane, stage.host(lane), StepState.BLOCKED, cell.number, None, pool)


def _told(whole: Whole, handling: Handling, place: Place) -> tuple[str, dict[str, object]]:
    data = {"by": handling.by, "reason": handling.reason, "round": whole.execution.round + 1}
    where = {"step": place[0], "host": whole.cells[place].host, "lane": place[1]}
    return f"execution.step_{handling.deed}", {**data, **where}


def _after(engine: Engine, whole: Whole, starts: Sequence[Start]) -> None:
    engine.counts["plumber_steps_by_hand_total"] += 1
    let_begin(engine, whole.execution.id, whole.plan, starts)
