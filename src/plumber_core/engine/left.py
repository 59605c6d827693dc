"""What is left to do in an execution in which people have moved steps by hand, and in gates: read where it matters."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.caches import ExecutionMemory
from plumber_core.engine.core import Engine
from plumber_core.errors import LeftOut
from plumber_core.model.rounds import Cell
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.planning.absence import left_for
from plumber_core.planning.advance import Advance, Known, Left
from plumber_core.planning.rounds import is_well


async def later_steps(
    engine: Engine, memory: ExecutionMemory, ref: AttemptRef, agent: str
) -> dict[int, StepState] | None:
    """Return where the lane's later steps stand; None while everything later is still to come."""
    if not memory.round:
        return None
    chain = memory.plan.stages[memory.plan.stage_of(ref.step, ref.lane)].chain
    behind = chain[chain.index(ref.step) + 1 :]
    if not behind:
        return {}
    return await engine.store.lane_states(memory.id, ref.lane, agent, behind, memory.resumed)


async def surely(
    engine: Engine, memory: ExecutionMemory, decide: Callable[[Known], Advance], lane: int | None = None
) -> Advance:
    """Decide, and read what is left of stages as often as that has to be known; in ``lane`` a step has just ended."""
    left: dict[int, Left] = {}
    while (move := decide(left)).unsure is not None:
        left[move.unsure] = await _left(engine, memory, move, lane)
    return move


async def _left(engine: Engine, memory: ExecutionMemory, move: Advance, lane: int | None) -> Left:
    assert move.unsure is not None
    stage = memory.plan.stages[move.unsure]
    lanes = await engine.store.open_lanes(memory.id, move.unsure, stage.chain)
    left = left_for(memory.plan, move, lane, lanes)
    if not memory.round:
        return left
    missed = len(lanes) - len(left.lanes) if left.missed else 0
    if left.missed:
        missed += await engine.store.missed_lanes(memory.id, move.unsure, stage.chain[0], memory.resumed)
    return replace(left, failed=memory.progress[move.unsure].failed, missed=missed)


async def at_the_end(
    engine: Engine, memory: ExecutionMemory, move: Advance, problem: dict[str, Any] | None
) -> tuple[Advance, dict[str, Any] | None]:
    """An execution that was resumed in part has succeeded only when nothing was left out that has not."""
    if move.execution is not ExecutionState.SUCCEEDED or not (steps := await left_out_steps(engine, memory)):
        return move, problem
    return replace(move, execution=ExecutionState.FAILED), {"code": LeftOut.code, "arguments": {"steps": steps}}


async def left_out_steps(engine: Engine, memory: ExecutionMemory) -> int:
    """Count what the last resume left as it was although it had not ended well."""
    if not memory.resumed:
        return 0
    rows = await engine.store.left_out(memory.id, memory.resumed)
    return sum(count for step, state, count in rows if not is_well(memory.plan, step, Cell(state, "")))
