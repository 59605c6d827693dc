"""End a step: the outcome and everything that follows from it, in one guarded write."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field, replace
from typing import Any

from plumber_core.engine.adoption import settle
from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.batches import ring as ring_batch
from plumber_core.engine.caches import ExecutionMemory
from plumber_core.engine.conditions import ask
from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.engine.left import at_the_end, later_steps, surely
from plumber_core.engine.pausing import paused
from plumber_core.engine.retries import ring
from plumber_core.engine.starts import Holder, Prepared, prepare
from plumber_core.engine.turns import take_turns_soon
from plumber_core.errors import InvalidRequest, Unavailable
from plumber_core.ids import share_of
from plumber_core.model.records import AttemptRow, NextTry, Passed, StepEnd, Term, Told
from plumber_core.model.rounds import Cell
from plumber_core.model.states import ENDING_EVENTS, STEP_RULES, Actor, StepEvent, StepState, move_step
from plumber_core.planning.absence import too_few
from plumber_core.planning.advance import Advance, Ended, Known, advance, cannot_start, try_again
from plumber_core.planning.batch_events import told
from plumber_core.planning.graph import outcome_of
from plumber_core.planning.holds import given_back
from plumber_core.planning.passing import lane_goes_on, stage_begins
from plumber_core.planning.pausing import pauses
from plumber_core.planning.retry import Failure, next_try
from plumber_core.planning.rounds import is_tolerated
from plumber_core.protocol.messages import Assignment
from plumber_core.reasons import because

TRIES = 8
MANY = 2**40


@dataclass(frozen=True, slots=True)
class Ending:
    """How an attempt ended, by whom, with the log's last bytes if they came along.

    ``reported`` is False when nobody who saw the end has told it: a report is then still awaited. ``boot_id`` is that
    of the agent who says so; ``term`` that of the leader who does. ``heard`` is when a host was last heard (0: never)
    that was not there: its step was never handed out.
    """

    ref: AttemptRef
    agent: str
    state: StepState
    actor: Actor
    outcome: dict[str, Any] = field(default_factory=dict)
    session_hash: str | None = None
    tail_offset: int = 0
    tail: bytes = b""
    newlines: int = 0
    reported: bool = True
    boot_id: str | None = None
    term: Term | None = None
    heard: int | None = None
    cause: dict[str, Any] | None = None
    """Why a step ends that was never handed out, as a code with arguments."""


@dataclass(frozen=True, slots=True)
class Decided:
    """What one ending leads to."""

    move: Advance
    prepared: Prepared
    problem: dict[str, Any] | None = None
    retry: NextTry | None = None
    told: tuple[Told, ...] = ()
    passed: tuple[Passed, ...] = ()
    pause: dict[str, Any] | None = None
    """Why the execution pauses with it."""


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
        if memory.paused and not ending.ref.attempt:
            # What nobody has begun is not given up while nobody may begin it.
            return Finished(False)
        decided = await _decide(engine, memory, ending, keep)
        prepared = decided.prepared
        write = _write_of(memory, ending, decided)
        try:
            written = await engine.store.end_step(write)
        except Unavailable:
            written = await _was_written(engine, write, prepared)
        except BaseException:
            prepared.suspect()
            prepared.release()
            raise
        if written:
            following = _after(engine, memory, ending, decided, keep)
            if decided.pause is not None:
                paused(engine, memory)
            elif memory.adopted and not memory.paused:
                await settle(engine, memory.id)
            elif memory.plan.parts and (decided.move.execution is not None or decided.move.halts):
                await take_turns_soon(engine, memory.id)
            if prepared.bound and following is None:
                # Another agent's turn now: its assignment must not wait for our answer to this one.
                await asyncio.sleep(0)
            return Finished(True, following)
        prepared.release()
        if prepared.bound:
            # Perhaps another server was told that one of these agents may get no more steps.
            await engine.fleet.refresh()
        engine.counts["plumber_guard_retries_total"] += 1
    raise Unavailable(reason=because("busy"))


async def _was_written(engine: Engine, write: StepEnd, prepared: Prepared) -> bool:
    """Look whether a write was committed whose answer was lost: its attempts have ids that no other could make.

    Raises: Unavailable (the database still does not answer).
    """
    prepared.suspect()
    mine = next((start.attempt_id for start in write.starts if start.attempt_id is not None), write.attempt_id)
    try:
        found = await engine.store.step_of(mine or "")
    except BaseException:
        prepared.release()
        raise
    if found is None or (found[1].ended_at is None and mine == write.attempt_id):
        return False
    engine.counts["plumber_commits_found_total"] += 1
    return mine != write.attempt_id or _is_there(found[1], write)


def _is_there(attempt: AttemptRow, write: StepEnd) -> bool:
    """Say whether all of a write is there: an earlier report of the same outcome may have come without the tail."""
    return attempt.outcome == write.outcome and attempt.log_end >= write.tail_offset + len(write.tail)


async def _is_current(engine: Engine, ending: Ending) -> bool:
    event, ref = ENDING_EVENTS[ending.state], ending.ref
    if not ref.attempt:
        waiting = await engine.store.step(ref.step_id)
        return waiting is not None and waiting.state in STEP_RULES[event].moves[0].sources
    found = await engine.store.step_of(ref.attempt)
    if found is None:
        return False
    step, attempt = found
    current = step.attempt_id == ref.attempt and attempt.ended_at is None
    if move_step(step.state, event, ending.actor, current=current, cancelled=step.cancel_requested) is None:
        return False
    return attempt.agent_id == ending.agent and (not ending.tail or attempt.log_end == ending.tail_offset)


async def _decide(engine: Engine, memory: ExecutionMemory, ending: Ending, keep: Connection | None) -> Decided:
    plan, ref = memory.plan, ending.ref
    progress = memory.progress[plan.stage_of(ref.step, ref.lane)]
    if (retry := await _retry(engine, memory, ending)) is not None:
        return Decided(try_again(progress.stage), Prepared(), retry=retry)
    if memory.paused or _pauses(memory, ending):
        return _at_rest(memory, ending)
    if memory.adopted:
        return Decided(try_again(progress.stage), Prepared())
    values: dict[str, str] = ending.outcome.get("outputs", {}) if ending.state is StepState.SUCCEEDED else {}
    just_set = {plan.steps[ref.step].name: {ending.agent: values}}
    holder = Holder(keep, ref.attempt) if keep is not None else None
    move, problem, passed = await _advance(engine, memory, ending), None, tuple[Passed, ...]()
    while True:
        try:
            while move.starts and (asked := await ask(engine, memory, move.starts, just_set)).passed:
                passed += tuple(asked.passed)
                move = await _pass_over(engine, memory, ending, move, tuple(asked.starts))
                if asked.starts:
                    break
            prepared = await prepare(
                engine, plan, ref.execution, move.starts, just_set, holder, renewed=memory.round > 0
            )
        except InvalidRequest as error:
            # A host that cannot go on has failed, which may lead to another batch, which may not be able to begin.
            problem = {"code": error.code, "arguments": error.arguments}
            passed = tuple(one for one in passed if move.lane_ends and plan.stage_of(one.step, one.lane) == move.stage)
            move = await _instead(engine, memory, ending, move)
        else:
            problem = too_few(plan, move.short) if move.short else problem
            move, problem = await at_the_end(engine, memory, move, problem)
            return Decided(move, prepared, problem, told=told(plan, progress, move), passed=passed)


def _at_rest(memory: ExecutionMemory, ending: Ending) -> Decided:
    """What has ended in a paused execution, or pauses it, leads to nothing until it goes on."""
    plan, ref = memory.plan, ending.ref
    stage, allowed = plan.stage_of(ref.step, ref.lane), is_tolerated(plan, ref.step, Cell(ending.state, ""))
    move = replace(try_again(stage), warnings=int(allowed))
    if not _pauses(memory, ending):
        return Decided(move, Prepared())
    host = plan.hosts.get(ending.agent, ending.agent)
    return Decided(move, Prepared(), pause={"code": "paused_failed", "step": plan.steps[ref.step].name, "host": host})


def _pauses(memory: ExecutionMemory, ending: Ending) -> bool:
    """A host that was not there and may be left out, or that somebody has taken out, is no failure."""
    if ending.agent in memory.left_out or (ending.heard is not None and memory.plan.may_leave_out):
        return False
    return pauses(memory.plan, ending.ref.step, ending.state, cancelled=memory.cancelled)


async def _pass_over(
    engine: Engine, memory: ExecutionMemory, ending: Ending, move: Advance, starts: tuple[tuple[int, int], ...]
) -> Advance:
    """Decide what follows when of a move's starts only these are left, perhaps none."""
    plan, progress = memory.plan, memory.progress[move.stage]

    def decide(left: Known) -> Advance:
        if move.lane_ends:
            return stage_begins(plan, move, starts, left, renewed=memory.round > 0)
        return lane_goes_on(plan, progress, move, starts, left, renewed=memory.round > 0)

    return await surely(engine, memory, decide, ending.ref.lane)


async def _advance(engine: Engine, memory: ExecutionMemory, ending: Ending) -> Advance:
    """Decide what follows; where not every host may go on, it has to be read who is left."""
    ref = ending.ref
    progress = memory.progress[memory.plan.stage_of(ref.step, ref.lane)]
    later = await later_steps(engine, memory, ref, ending.agent)

    def decide(left: Known) -> Advance:
        missed, left_out = ending.heard is not None, ending.agent in memory.left_out
        ended = Ended(ref.step, ref.lane, ending.state, missed=missed, left_out=left_out)
        cancelled, late = memory.is_cancelled(progress.stage), memory.timed_out
        return advance(memory.plan, progress, ended, cancelled=cancelled, timed_out=late, left=left, later=later)

    return await surely(engine, memory, decide, ref.lane)


async def _instead(engine: Engine, memory: ExecutionMemory, ending: Ending, move: Advance) -> Advance:
    progress, renewed = memory.progress[move.stage], memory.round > 0
    return await surely(
        engine,
        memory,
        lambda left: cannot_start(memory.plan, progress, move, left, renewed=renewed),
        ending.ref.lane,
    )


async def _retry(engine: Engine, memory: ExecutionMemory, ending: Ending) -> NextTry | None:
    """Ask the step's policy; without one nothing is read."""
    planned = memory.plan.steps[ending.ref.step]
    stage = memory.plan.stage_of(ending.ref.step, ending.ref.lane)
    if planned.retry is None or ending.state not in planned.retry.on or memory.is_cancelled(stage):
        return None
    if ending.agent in memory.left_out:
        return None
    found = await engine.store.step_of(ending.ref.attempt)
    if found is None:
        return None
    step, attempt = found
    proven = ending.actor is Actor.AGENT and ending.boot_id == attempt.boot_id
    failure = Failure(ending.state, step.retries, ending.outcome.get("exit_code"), proven)
    return next_try(planned, failure, share_of(attempt.id))


def _write_of(memory: ExecutionMemory, ending: Ending, decided: Decided) -> StepEnd:
    move, plan = decided.move, memory.plan
    low, high = (1, 1) if move.boundary else ((2, MANY) if move.lane_ends else (1, MANY))
    return StepEnd(
        step_id=ending.ref.step_id,
        execution_id=ending.ref.execution,
        stage=move.stage,
        attempt_id=ending.ref.attempt or None,
        agent_id=ending.agent,
        session=ending.session_hash,
        state=ending.state,
        event=StepEvent.RETRY if decided.retry is not None else ENDING_EVENTS[ending.state],
        actor=ending.actor,
        outcome=ending.outcome if ending.reported else {**ending.outcome, "reported": False},
        control=memory.progress[move.stage].control,
        remaining=(low, high),
        lane_ends=move.lane_ends,
        failed=move.failed,
        missed=move.missed,
        heard=ending.heard,
        cause=ending.cause,
        tail_offset=ending.tail_offset,
        tail=ending.tail,
        tail_newlines=ending.newlines,
        skipped=move.later if move.skip_lane else (),
        skip_to=move.skip_to,
        passed=decided.passed,
        failed_between=move.failed_between,
        halts=plan.stages[move.stage].chain[0] if move.halts else None,
        opening=move.opening,
        told=decided.told,
        skip_after_stage=move.skip_after_stage,
        part_stop=plan.part_of(move.stage).stop,
        in_parts=bool(plan.parts),
        outcome_of_part=outcome_of(move.execution) if plan.parts else None,
        starts=tuple(decided.prepared.starts),
        execution_state=None if plan.parts else move.execution,
        warnings=move.warnings,
        problem=decided.problem,
        pause=decided.pause,
        paused=memory.paused,
        retry=decided.retry,
        term=ending.term,
    )


def _after(
    engine: Engine, memory: ExecutionMemory, ending: Ending, decided: Decided, keep: Connection | None
) -> Assignment | None:
    memory.apply(decided.move)
    if decided.move.execution is not None or decided.move.halts:
        engine.executions.forget(memory.id)
    ring_batch(engine, decided.move.opening)
    if memory.holds:
        engine.ask(given_back(memory.plan, ending.ref.step, ending.agent, decided.move))
    following = decided.prepared.commit(engine, keep)
    if decided.retry is not None:
        engine.counts["plumber_steps_retried_total"] += 1
        ring(engine, max(decided.retry.delay, decided.retry.silence))
    else:
        engine.counts[f"plumber_steps_{ending.state}_total"] += 1
    engine.wakeups.changed(memory.id)
    return following
