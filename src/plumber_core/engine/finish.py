"""End a step: the outcome and everything that follows from it, in one guarded write."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.caches import ExecutionMemory
from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.engine.starts import Holder, Prepared, prepare
from plumber_core.errors import InvalidRequest, Unavailable
from plumber_core.model.plan import Plan
from plumber_core.model.records import StepEnd
from plumber_core.model.states import Actor, StepState, step_sources
from plumber_core.planning.advance import Advance, Ended, advance, cannot_start
from plumber_core.protocol.messages import Assignment

TRIES = 8
MANY = 2**40


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, by whom, with the log's last bytes if they came along."""

    ref: AttemptRef
    agent: str
    state: StepState
    actor: Actor
    outcome: dict[str, Any] = field(default_factory=dict)
    session_hash: str | None = None
    tail_offset: int = 0
    tail: bytes = b""
    newlines: int = 0


@dataclass(frozen=True, slots=True)
class Finished:
    """``recorded`` is False when the attempt was not current or had ended; ``next`` rides on the reply."""

    recorded: bool
    next: Assignment | None = None


async def finish(engine: Engine, ending: Ending, keep: Connection | None = None) -> Finished:
    """Record how an attempt ended and go on with its execution.

    Raises:
        NotFound: no such execution.
        Unavailable: the database does not answer, or the execution is too busy.
    """
    for attempt in range(TRIES):
        memory = await engine.executions.get(ending.ref.execution, fresh=attempt > 0)
        if attempt and not await _is_current(engine, ending):
            return Finished(False)
        move, prepared, problem = await _decide(engine, memory, ending, keep)
        end = _write_of(memory, ending, move, prepared, problem)
        try:
            written = await engine.store.end_step(end)
        except BaseException:
            prepared.release()
            raise
        if written:
            following = _after(engine, memory, ending, move, prepared, keep)
            if prepared.bound and following is None:
                # Another agent's turn now: its assignment must not wait for our answer to this one.
                await asyncio.sleep(0)
            return Finished(True, following)
        prepared.release()
        engine.counts["plumber_guard_retries_total"] += 1
    raise Unavailable(reason="this execution is busy")


async def _is_current(engine: Engine, ending: Ending) -> bool:
    found = await engine.store.step_of(ending.ref.attempt)
    if found is None:
        return False
    step, attempt = found
    sources = step_sources(ending.state, ending.actor)
    if step.attempt_id != ending.ref.attempt or step.state not in sources or attempt.ended_at is not None:
        return False
    return attempt.agent_id == ending.agent and (not ending.tail or attempt.log_end == ending.tail_offset)


async def _decide(
    engine: Engine, memory: ExecutionMemory, ending: Ending, keep: Connection | None
) -> tuple[Advance, Prepared, dict[str, Any] | None]:
    plan, ref = memory.plan, ending.ref
    progress = memory.progress[plan.stage_of(ref.step)]
    move = advance(plan, progress, Ended(ref.step, ref.lane, ending.state), cancelled=memory.cancelled)
    values: dict[str, str] = ending.outcome.get("outputs", {}) if ending.state is StepState.SUCCEEDED else {}
    just_set = {plan.steps[ref.step].name: {ending.agent: values}}
    holder = Holder(keep, ref.attempt) if keep is not None else None
    try:
        return move, await prepare(engine, plan, ref.execution, move.starts, just_set, holder), None
    except InvalidRequest as error:
        problem = {"code": error.code, "arguments": error.arguments}
        return cannot_start(progress, move), Prepared(), problem


def _write_of(
    memory: ExecutionMemory, ending: Ending, move: Advance, prepared: Prepared, problem: dict[str, Any] | None
) -> StepEnd:
    low, high = (1, 1) if move.boundary else ((2, MANY) if move.lane_ends else (1, MANY))
    return StepEnd(
        step_id=ending.ref.step_id,
        execution_id=ending.ref.execution,
        stage=move.stage,
        attempt_id=ending.ref.attempt,
        agent_id=ending.agent,
        session=ending.session_hash,
        state=ending.state,
        sources=tuple(sorted(step_sources(ending.state, ending.actor))),
        outcome=ending.outcome,
        control=memory.progress[move.stage].control,
        remaining=(low, high),
        lane_ends=move.lane_ends,
        failed=move.failed,
        tail_offset=ending.tail_offset,
        tail=ending.tail,
        tail_newlines=ending.newlines,
        skip_lane=move.skip_lane,
        skipped=_later_steps(memory.plan, ending.ref.step) if move.skip_lane else (),
        skip_after_stage=move.skip_after_stage,
        starts=tuple(prepared.starts),
        execution_state=move.execution,
        warnings=move.warnings,
        problem=problem,
    )


def _later_steps(plan: Plan, step: int) -> tuple[int, ...]:
    chain = plan.stages[plan.stage_of(step)].chain
    return tuple(chain[chain.index(step) + 1 :])


def _after(
    engine: Engine,
    memory: ExecutionMemory,
    ending: Ending,
    move: Advance,
    prepared: Prepared,
    keep: Connection | None,
) -> Assignment | None:
    memory.apply(move)
    if move.execution is not None:
        engine.executions.forget(memory.id)
    following = prepared.commit(engine, keep)
    engine.counts[f"plumber_steps_{ending.state}_total"] += 1
    engine.wakeups.changed(memory.id)
    return following
