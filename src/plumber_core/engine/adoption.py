"""The inventory beats the database: what an agent ran in commits that were forgotten is adopted, and told again."""

from __future__ import annotations

from collections.abc import Container, Sequence
from itertools import groupby

from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.caches import ExecutionMemory
from plumber_core.engine.conditions import ask
from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.engine.left import left_out_steps
from plumber_core.engine.starts import Prepared, first_rows, render, stored_rows
from plumber_core.engine.turns import take_turns
from plumber_core.errors import InvalidRequest, NotFound, Unavailable
from plumber_core.model.forgotten import Adopted, Adopter, HeldAttempt, Settlement
from plumber_core.model.inert import inert
from plumber_core.model.records import Opening, Passed
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.planning.catch_up import CaughtUp, Cells, catch_up
from plumber_core.planning.catch_up_parts import catch_up_parts
from plumber_core.planning.graph import standing_of
from plumber_core.protocol.messages import Held
from plumber_core.protocol.peer import SessionOver
from plumber_core.reasons import because

TRIES = 8


async def adopt(engine: Engine, connection: Connection, have: Sequence[Held], known: Container[str]) -> Adopted:
    """Make the database know what an agent holds beside what is ``known``; see ``ports.AdoptionStore.adopt``.

    Raises:
        SessionOver: the session is not current any more.
    """
    told = [found for one in have if one.attempt not in known and (found := _told(one)) is not None]
    if not told:
        return Adopted()
    running = frozenset(one.attempt for one in have if one.state in ("spawning", "running"))
    adopter = Adopter(connection.agent_id, connection.session_hash, connection.boot_id, running)
    adopted = await engine.store.adopt(adopter, told)
    if adopted is None:
        raise SessionOver
    for execution in adopted.executions:
        engine.executions.forget(execution)
        engine.wakeups.changed(execution)
    return adopted


def _told(held: Held) -> HeldAttempt | None:
    try:
        ref = AttemptRef.parse(held.attempt)
    except NotFound:
        return None
    names = {key: inert(held.about.get(key, ""), 200) for key in ("task", "step")}
    spec = {"execution": ref.execution, **names, "index": ref.step, "uses": "", "params": {}, "env": {}}
    return HeldAttempt(held.attempt, ref.step_id, ref.execution, ref.number, held.state, spec)


async def settle(engine: Engine, execution: str) -> None:
    """Look at the whole of an execution whose steps may end in any order, and go on from there.

    Raises: NotFound, Unavailable.
    """
    for _ in range(TRIES):
        memory = await engine.executions.get(execution, fresh=True)
        if memory.paused:
            # Looked at when it goes on.
            return
        standing = await engine.store.standing(execution)
        found, passed = look(memory, standing.cells), tuple[Passed, ...]()
        try:
            found, passed = await ask_conditions(engine, memory, standing.cells, found)
            rows = stored_rows(engine, execution) if memory.round else first_rows(execution)
            starts = await render(engine, memory.plan, execution, found.starts, rows)
        except InvalidRequest:
            starts = []
            found = without(memory, standing.cells, found.starts)
        if found.execution is ExecutionState.SUCCEEDED and await left_out_steps(engine, memory):
            found.execution = ExecutionState.FAILED
        change = Settlement(
            execution,
            standing.controls,
            tuple(found.counters),
            tuple(starts),
            tuple(found.skips),
            found.execution,
            tuple(found.carried),
            waits_of(memory, found),
            passed,
            tuple(found.begun),
            tuple(found.outcomes),
        )
        if await engine.store.settle(change):
            engine.executions.forget(execution)
            asked = [wanted.name for start in starts for wanted in start.wants]
            waiting = [start.agent_id for start in starts if start.agent_id and not start.wants]
            Prepared(waiting=waiting, asked=asked).commit(engine)
            engine.wakeups.changed(execution)
            if memory.plan.parts:
                await take_turns(engine, execution)
            return
    raise Unavailable(reason=because("busy"))


def look(memory: ExecutionMemory, cells: Cells) -> CaughtUp:
    """Return where an execution stands by all of its steps."""
    if memory.plan.parts:
        standing = standing_of(memory.plan, memory.progress, **memory.asked)
        return catch_up_parts(memory.plan, cells, standing, forgotten=memory.adopted)
    return catch_up(memory.plan, cells, cancelled=memory.cancelled, timed_out=memory.timed_out)


async def ask_conditions(
    engine: Engine, memory: ExecutionMemory, cells: Cells, found: CaughtUp
) -> tuple[CaughtUp, tuple[Passed, ...]]:
    """Ask the conditions of what could be set going; what they pass over has ended well, so look again."""
    passed: dict[tuple[int, int], Passed] = {}
    while True:
        before = len(passed)
        for _, together in groupby(sorted(found.starts), key=lambda pair: (memory.plan.stage_of(*pair), pair[0])):
            asked = await ask(engine, memory, list(together))
            passed |= {(one.step, one.lane): one for one in asked.passed}
        if len(passed) == before:
            return found, tuple(passed.values())
        found = look(memory, {**cells, **dict.fromkeys(passed, StepState.SUCCEEDED)})


def waits_of(memory: ExecutionMemory, found: CaughtUp) -> Opening | None:
    """Return what a stage waits for that has to wait."""
    if found.waits is None:
        return None
    stage = memory.plan.stages[found.waits]
    pause = stage.batch.pause if stage.batch is not None else None
    return Opening(found.waits, found.carried[found.waits], len(stage.hosts), pause)


def without(memory: ExecutionMemory, cells: Cells, starts: list[tuple[int, int]]) -> CaughtUp:
    """Without these steps nothing can follow: what waits ends, what runs is still awaited."""
    failed = {**cells, **dict.fromkeys(starts, StepState.FAILED)}
    found = look(memory, failed)
    found.skips += starts
    return found
