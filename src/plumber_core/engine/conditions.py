"""Where conditions pass steps over: they are asked when a step is about to be set going, with what is known by then."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from plumber_core.engine.blocked import first_rows, stored_rows
from plumber_core.engine.caches import ExecutionMemory
from plumber_core.engine.core import Engine
from plumber_core.engine.outputs import Outputs, OutputsOf
from plumber_core.model.records import Passed
from plumber_core.planning.conditions import failing
from plumber_core.planning.graph import standing_of, status_of

Pairs = tuple[tuple[int, int], ...]


@dataclass
class Asked:
    """``starts`` are what is left to be set going, each in its lane; ``passed`` what is not run there."""

    starts: list[tuple[int, int]] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)


async def ask(
    engine: Engine, memory: ExecutionMemory, starts: Iterable[tuple[int, int]], just_set: Outputs | None = None
) -> Asked:
    """Ask the conditions of what is to be set going, all of it in one stage.

    Where one is false the lane goes on to its next step, and to the end of its chain if need be.

    Raises: InvalidRequest (a condition has no value).
    """
    asked, waiting = Asked(), list(starts)
    while waiting:
        step = waiting[0][0]
        if not memory.plan.steps[step].when:
            asked.starts += waiting
            break
        lanes = [lane for _, lane in waiting]
        left = await _ask_one(engine, memory, step, lanes, asked, just_set or {})
        chain = memory.plan.stages[memory.plan.stage_of(step, lanes[0])].chain
        later = chain[chain.index(step) + 1 :]
        waiting = [(later[0], lane) for lane in left] if later else []
    return asked


async def _ask_one(
    engine: Engine, memory: ExecutionMemory, step: int, lanes: list[int], asked: Asked, just_set: Outputs
) -> list[int]:
    """Ask those of one step; return the lanes in which it is passed over."""
    plan, left = memory.plan, []
    number = plan.stage_of(step, lanes[0])
    stage = plan.stages[number]
    reading = OutputsOf(engine.store, plan, memory.id, step, just_set)
    outputs = await (reading.of(stage.host(lanes[0])) if len(lanes) == 1 else reading.all())
    status = status_of(plan, standing_of(plan, memory.progress, **memory.asked), number)
    rows = await (stored_rows(engine, memory.id) if memory.round else first_rows(memory.id))(step, lanes)
    for lane in lanes:
        host = stage.host(lane)
        why = failing(plan, step, host, outputs, status)
        if why is None:
            asked.starts.append((step, lane))
        else:
            left.append(lane)
            agent = None if stage.pool else host
            asked.passed.append(Passed(rows[lane].id, step, lane, agent, why))
    return left
