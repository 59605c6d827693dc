"""What follows when parts of a plan have ended: others begin, are skipped, or the execution ends."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from plumber_core.engine.caches import ExecutionMemory
from plumber_core.engine.conditions import ask
from plumber_core.engine.core import Engine
from plumber_core.engine.left import left_out_steps, surely
from plumber_core.engine.starts import Prepared, first_rows, render, stored_rows
from plumber_core.errors import InvalidRequest, LeftOut, PlumberError, Unavailable
from plumber_core.model.asked import EVERYTHING
from plumber_core.model.parts import Outcome, Part
from plumber_core.model.plan import Plan
from plumber_core.model.records import Passed, Start
from plumber_core.model.states import ExecutionState
from plumber_core.model.turns import PartBegins, PartOver, Turn
from plumber_core.planning.absence import too_few
from plumber_core.planning.advance import Advance, begin
from plumber_core.planning.batch_events import first
from plumber_core.planning.graph import follow, patience_with_always, standing_of
from plumber_core.planning.passing import stage_begins
from plumber_core.reasons import because

TRIES = 8


async def take_turns_soon(engine: Engine, execution: str) -> None:
    """Do what ``take_turns`` does for somebody whose own work is done: a sweep stands behind it."""
    with contextlib.suppress(PlumberError):
        await take_turns(engine, execution)


async def take_turns(engine: Engine, execution: str) -> None:
    """Let everything begin whose turn has come: in a plan without parts nothing has. Any replica may do it, and twice.

    Raises: NotFound, Unavailable.
    """
    for _ in range(TRIES):
        memory = await engine.executions.get(execution, fresh=True)
        if not memory.running or not memory.plan.parts:
            return
        turn, again = await _turn(engine, memory)
        if not await engine.store.take_turn(turn):
            # Somebody else was faster, or the execution has ended.
            engine.counts["plumber_guard_retries_total"] += 1
            continue
        engine.executions.forget(execution)
        _tell(engine, memory.plan, turn.starts)
        if turn.state is not None and memory.plan.holds:
            engine.ask({EVERYTHING})
        engine.wakeups.changed(execution)
        if not again:
            return
    raise Unavailable(reason=because("busy"))


async def _turn(engine: Engine, memory: ExecutionMemory) -> tuple[Turn, bool]:
    """Return what is to be written, and whether more may follow from a part that could not begin."""
    plan, progress = memory.plan, memory.progress
    found = follow(plan, standing_of(plan, progress, **memory.asked))
    left_out = found.main is ExecutionState.SUCCEEDED and await left_out_steps(engine, memory)
    if left_out:
        found.main = ExecutionState.FAILED
        found.execution = found.execution and ExecutionState.FAILED
    over = [_over(plan, index, outcome) for index, outcome in found.over.items() if plan.parts[index].stages]
    begun = list[_Begun]()
    problem: dict[str, Any] | None = {"code": LeftOut.code, "arguments": {"steps": left_out}} if left_out else None
    for index in found.begins:
        try:
            one = await _begin(engine, memory, plan.parts[index])
        except InvalidRequest as error:
            one = _Begun(outcome="failed", problem={"code": error.code, "arguments": error.arguments})
        begun.append(one)
        problem = problem or one.problem
        over += [_over(plan, index, one.outcome, awaits_look=True)] if one.outcome is not None else []
    begins = tuple(one.begins for one in begun if one.begins is not None)
    turn = Turn(
        memory.id,
        controls=tuple(progress[stage].control for stage in range(len(plan.stages))),
        seen=tuple(stage for stage, one in progress.items() if one.outcome is not None and one.opens_at is not None),
        begins=begins,
        passed=tuple(passed for one in begun for passed in one.passed),
        over=tuple(over),
        starts=tuple(start for one in begun for start in one.starts),
        main=None if memory.main_ended or plan.always_from == len(plan.stages) else found.main,
        patience=patience_with_always(plan),
        state=found.execution,
        problem=problem,
        told=first(plan, [one.stage for one in begins]),
    )
    return turn, len(begins) < len(begun)


@dataclass(frozen=True)
class _Begun:
    """A part whose turn has come; one that has an ``outcome`` at once does not begin."""

    begins: PartBegins | None = None
    starts: tuple[Start, ...] = ()
    passed: tuple[Passed, ...] = ()
    outcome: Outcome | None = None
    problem: dict[str, Any] | None = None


async def _begin(engine: Engine, memory: ExecutionMemory, part: Part) -> _Begun:
    """Find where a part begins, and for whom, and render that. There is nothing to pause for before.

    Raises: InvalidRequest (a template cannot be rendered, a condition has no value).
    """
    plan, passed, renewed = memory.plan, list[Passed](), memory.round > 0
    rows = stored_rows(engine, memory.id) if renewed else first_rows(memory.id)
    move = await surely(engine, memory, lambda left: begin(plan, part.first, left=left, waited=True, renewed=renewed))
    while move.starts:
        asked = await ask(engine, memory, move.starts)
        passed += asked.passed
        if asked.starts:
            starts = await render(engine, plan, memory.id, asked.starts, rows)
            missed = move.opening.missed if move.opening is not None else 0
            begins = PartBegins(part.first, plan.stage_of(*move.starts[0]), len(asked.starts), missed)
            return _Begun(begins, tuple(starts), tuple(passed))
        move = await _nobody(engine, memory, move)
    problem = too_few(plan, move.short) if move.short else None
    return _Begun(passed=tuple(passed), outcome="failed" if problem else "passed", problem=problem)


async def _nobody(engine: Engine, memory: ExecutionMemory, move: Advance) -> Advance:
    """Return what follows where nobody has anything to do in a stage."""
    plan, renewed = memory.plan, memory.round > 0
    return await surely(engine, memory, lambda left: stage_begins(plan, move, (), left, waited=True, renewed=renewed))


def _over(plan: Plan, index: int, outcome: Outcome, *, awaits_look: bool = False) -> PartOver:
    part = plan.parts[index]
    return PartOver(part.first, part.stop, outcome, awaits_look)


def _tell(engine: Engine, plan: Plan, starts: Sequence[Start]) -> None:
    """Have what is ready now claimed."""
    free = [start for start in starts if not start.wants]
    waiting = [start.agent_id for start in free if start.agent_id is not None]
    pools = [plan.pool_of(one.step) for one in free if one.agent_id is None]
    asked = [wanted.name for start in starts for wanted in start.wants]
    Prepared(waiting=waiting, pools=pools, asked=asked).commit(engine)
