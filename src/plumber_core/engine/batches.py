"""Rollouts between two batches: a stage that waits begins when its pause is over, or when somebody says go."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import Any

from plumber_core.engine.alarms import set_alarm
from plumber_core.engine.caches import ExecutionMemory
from plumber_core.engine.conditions import ask
from plumber_core.engine.core import Engine
from plumber_core.engine.left import at_the_end, surely
from plumber_core.engine.starts import Prepared, prepare
from plumber_core.engine.turns import take_turns, take_turns_soon
from plumber_core.errors import Conflict, InvalidRequest, NotFound, Unavailable
from plumber_core.model.batch_records import BatchOpening
from plumber_core.model.records import Opening, Passed, Progress, Told
from plumber_core.model.states import ExecutionState
from plumber_core.planning.absence import too_few
from plumber_core.planning.advance import Advance, Known, enter
from plumber_core.planning.batch_events import behind, entered
from plumber_core.planning.graph import outcome_of
from plumber_core.planning.passing import stage_begins
from plumber_core.reasons import because

TRIES = 8


async def go(engine: Engine, execution: str, batch: int | None, told: dict[str, Any]) -> None:
    """Begin the batch that waits, or its gate, now; ``told`` says who wants it and why.

    Raises: NotFound, Conflict (nothing waits, another batch than ``batch`` does, or it is paused), Unavailable.
    """
    memory = await engine.executions.get(execution, fresh=True)
    if memory.paused:
        raise Conflict(reason=because("paused_go"))
    waiting = waiting_stage(memory.progress.values())
    if waiting is None or memory.cancelled:
        raise Conflict(reason=because("batch_not_waiting"))
    stage = memory.plan.stages[waiting.stage]
    at = stage.batch
    if at is not None and batch is not None and at.after != batch:
        raise Conflict(reason=because("batch_other", batch=at.after, block=at.block, wanted=batch))
    said = ("batch.go", {**behind(stage), **told})
    if not await open_batch(engine, execution, waiting.stage, said):
        raise Conflict(reason=because("batch_not_waiting"))


def waiting_stage(progress: Any) -> Progress | None:
    """Return the counters of the stage that waits for its pause, or for somebody."""
    return next((one for one in progress if one.pauses), None)


async def open_batch(engine: Engine, execution: str, stage: int, said: Told | None = None) -> bool:
    """End the wait of a stage, before its time if somebody said so. False when it does not wait (any more).

    Raises: NotFound, Unavailable.
    """
    for _ in range(TRIES):
        memory = await engine.executions.get(execution, fresh=True)
        progress = memory.progress[stage]
        if not progress.pauses or memory.cancelled:
            return False
        move, problem = await at_the_end(engine, memory, await _enter(engine, memory, progress), None)
        opening, prepared = await _prepare(engine, memory, progress, move, said)
        opening = replace(opening, problem=opening.problem or problem)
        try:
            written = await engine.store.open_batch(opening)
        except Unavailable:
            # Perhaps it was written: the agents are asked, and the next look tells.
            prepared.suspect()
            prepared.release()
            continue
        except BaseException:
            prepared.suspect()
            prepared.release()
            raise
        if written:
            memory.opened(stage, opening.entered)
            if opening.execution_state is not None:
                engine.executions.forget(execution)
            prepared.commit(engine)
            engine.wakeups.changed(execution)
            if opening.outcome_of_part is not None:
                await take_turns_soon(engine, execution)
            return True
        prepared.release()
        if said is None:
            return False
        if prepared.bound:
            await engine.fleet.refresh()
    raise Unavailable(reason=because("busy"))


async def _enter(engine: Engine, memory: ExecutionMemory, progress: Progress) -> Advance:
    renewed = memory.round > 0

    def decide(left: Known) -> Advance:
        plan, stage, carried, missed = memory.plan, progress.stage, progress.carried, progress.missed
        return enter(plan, stage, carried, left=left, waited=True, missed=missed, renewed=renewed)

    return await surely(engine, memory, decide)


async def _ask(engine: Engine, memory: ExecutionMemory, move: Advance) -> tuple[Advance, tuple[Passed, ...]]:
    """Ask the conditions of what would start; where nobody has anything to do the next stage is reached."""
    passed = list[Passed]()
    while move.starts:
        asked = await ask(engine, memory, move.starts)
        passed += asked.passed
        move = await _left_of(engine, memory, move, tuple(asked.starts))
        if asked.starts:
            break
    return move, tuple(passed)


async def _left_of(
    engine: Engine, memory: ExecutionMemory, move: Advance, starts: tuple[tuple[int, int], ...]
) -> Advance:
    renewed = memory.round > 0
    return await surely(engine, memory, lambda left: stage_begins(memory.plan, move, starts, left, renewed=renewed))


async def _prepare(
    engine: Engine, memory: ExecutionMemory, progress: Progress, move: Advance, said: Told | None
) -> tuple[BatchOpening, Prepared]:
    """Render and reserve what begins; what cannot be rendered ends the execution instead."""
    told: tuple[Told, ...] = () if said is None else (said,)
    opening = BatchOpening(memory.id, progress.stage, progress.control, said is not None, move.opening, told=told)
    opening = replace(opening, part_stop=memory.plan.part_of(progress.stage).stop)
    try:
        move, passed = await _ask(engine, memory, move)
        prepared = await prepare(engine, memory.plan, memory.id, move.starts, renewed=memory.round > 0)
    except InvalidRequest as error:
        problem = {"code": error.code, "arguments": error.arguments}
        over = replace(opening, entered=None, problem=problem)
        return _ending(memory, over, ExecutionState.FAILED), Prepared()
    told += tuple(entered(memory.plan, move))
    short = too_few(memory.plan, move.short) if move.short else None
    starts = tuple(prepared.starts)
    whole = replace(opening, entered=move.opening, starts=starts, passed=passed, told=told, problem=short)
    return _ending(memory, whole, move.execution), prepared


def _ending(memory: ExecutionMemory, opening: BatchOpening, state: ExecutionState | None) -> BatchOpening:
    """Add how the execution ends with it, or this part of it."""
    if memory.plan.parts:
        return replace(opening, outcome_of_part=outcome_of(state))
    return replace(opening, execution_state=state)


async def open_due(engine: Engine) -> None:
    """Begin every stage whose pause is over. Any replica may do it, and twice."""
    await open_all(engine, await engine.store.due_batches())


async def open_all(engine: Engine, due: list[tuple[str, int]]) -> None:
    """Begin these stages, as far as their pauses are over; look what follows where parts have ended."""
    for execution, stage in due:
        with contextlib.suppress(NotFound):
            memory = await engine.executions.get(execution, fresh=True)
            if memory.progress[stage].pauses:
                await open_batch(engine, execution, stage)
            else:
                await take_turns(engine, execution)


def ring(engine: Engine, opening: Opening | None) -> None:
    """Look when a pause is over."""
    if opening is not None and opening.pause is not None and not isinstance(opening.pause, str):
        set_alarm(engine, engine.openings, opening.pause, open_due, "batch")
