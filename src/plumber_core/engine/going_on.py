"""Let a paused execution go on: what has ended meanwhile is looked at as a whole, and counting goes on from there."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from plumber_core.engine.adoption import ask_conditions, look, waits_of, without
from plumber_core.engine.caches import ExecutionMemory
from plumber_core.engine.core import Engine
from plumber_core.engine.left import left_out_steps
from plumber_core.engine.resume import begins, let_begin
from plumber_core.engine.retention import missing
from plumber_core.engine.retries import tell_woken, wake_retries
from plumber_core.engine.starts import first_rows, render, stored_rows
from plumber_core.engine.turns import take_turns_soon
from plumber_core.errors import Conflict, InvalidRequest, Unavailable
from plumber_core.ids import step_execution_id
from plumber_core.model.asked import EVERYTHING
from plumber_core.model.forgotten import Settlement
from plumber_core.model.pausing import Continuation
from plumber_core.model.records import Passed, Start, Told
from plumber_core.model.rounds import NewRow, Place, Whole
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.planning.catch_up import CaughtUp
from plumber_core.planning.pausing import as_seen, passed_over, warnings_of_batches
from plumber_core.reasons import because

TRIES = 8


@dataclass(frozen=True, slots=True)
class _Look:
    """Where an execution stands that goes on, with ``over``, the failures that it passes over."""

    whole: Whole
    found: CaughtUp
    over: tuple[Place, ...]
    passed: tuple[Passed, ...]
    starts: tuple[Start, ...]


async def go_on(engine: Engine, execution: str, by: str, reason: str) -> None:
    """Let a paused execution go on exactly where it was.

    Raises: NotFound, Gone, Conflict (it is not paused), Unavailable.
    """
    for _ in range(TRIES):
        whole = await engine.store.whole(execution)
        if whole is None:
            raise await missing(engine, "execution", execution)
        if whole.execution.state is not ExecutionState.PAUSED:
            raise Conflict(reason=because("continue_state", state=whole.execution.state.value))
        memory = await engine.executions.get(execution, fresh=True)
        if controls_of(memory) != whole.controls:
            continue
        await engine.fleet.refresh()
        seen = await _look(engine, memory, whole)
        woken = await engine.store.go_on(_continuation(memory, seen, by, reason))
        if woken is None:
            engine.counts["plumber_guard_retries_total"] += 1
            continue
        let_begin(engine, execution, whole.plan, seen.starts)
        await tell_woken(engine, woken)
        await wake_retries(engine)
        if memory.holds:
            engine.ask({EVERYTHING})
        if whole.plan.parts:
            await take_turns_soon(engine, execution)
        return
    raise Unavailable(reason=because("busy"))


def controls_of(memory: ExecutionMemory) -> tuple[int, ...]:
    """Return the ``control`` of all stages as last seen."""
    return tuple(memory.progress[stage].control for stage in range(len(memory.plan.stages)))


async def _look(engine: Engine, memory: ExecutionMemory, whole: Whole) -> _Look:
    over = passed_over(memory.plan, whole.cells, whole.open_stages)
    cells = as_seen(whole.cells, whole.execution.resumed) | dict.fromkeys(over, StepState.SUCCEEDED)
    found, passed, starts = await stand(engine, memory, cells)
    return _Look(whole, found, over, passed, starts)


async def stand(
    engine: Engine, memory: ExecutionMemory, cells: dict[Place, StepState]
) -> tuple[CaughtUp, tuple[Passed, ...], tuple[Start, ...]]:
    """Return where an execution stands by all of its steps, what conditions pass over, and what begins, rendered."""
    found, passed = look(memory, cells), tuple[Passed, ...]()
    try:
        found, passed = await ask_conditions(engine, memory, cells, found)
        rows = stored_rows(engine, memory.id) if memory.round else first_rows(memory.id)
        starts = tuple(await render(engine, memory.plan, memory.id, sorted(found.starts), rows))
    except InvalidRequest:
        starts = ()
        found = without(memory, cells, found.starts)
    if found.execution is ExecutionState.SUCCEEDED and await left_out_steps(engine, memory):
        found.execution = ExecutionState.FAILED
    return found, passed, starts


def _continuation(memory: ExecutionMemory, seen: _Look, by: str, reason: str) -> Continuation:
    whole, found = seen.whole, seen.found
    settlement, round_ = settlement_of(memory, whole, found, seen.passed, seen.starts), _round(seen)
    told = _told(whole, seen.over, by, reason), *begins(whole.plan, found, settlement.waits)
    warnings = len(seen.over) + warnings_of_batches(whole.plan, whole.remaining, found)
    return Continuation(settlement, whole.cells, round_, _rows(whole, seen.over, round_), warnings, told)


def _round(seen: _Look) -> int:
    return seen.whole.execution.round + bool(seen.over)


def settlement_of(
    memory: ExecutionMemory, whole: Whole, found: CaughtUp, passed: tuple[Passed, ...], starts: tuple[Start, ...]
) -> Settlement:
    """Return what is written of where an execution stands."""
    return Settlement(
        memory.id,
        whole.controls,
        tuple(found.counters),
        starts,
        tuple(found.skips),
        found.execution,
        tuple(found.carried),
        waits_of(memory, found),
        passed,
        tuple(found.begun),
        tuple(found.outcomes),
    )


def _rows(whole: Whole, over: Collection[Place], round_: int) -> tuple[NewRow, ...]:
    """What is passed over is as if somebody had skipped it there."""
    return tuple(
        NewRow(
            step_execution_id(whole.execution.id, *place, round_),
            whole.plan.stage_of(*place),
            *place,
            whole.cells[place].host,
            StepState.SKIPPED,
            whole.cells[place].number,
            "skip",
        )
        for place in over
    )


def _told(whole: Whole, over: Collection[Place], by: str, reason: str) -> Told:
    data = {"by": by, "reason": reason, "passed": len(over)}
    if over:
        # Cells have changed with it, and have no events of their own: whoever shows them looks again.
        data |= {"round": whole.execution.round + 1}
    return "execution.continued", data
