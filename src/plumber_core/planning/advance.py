"""What follows from the end of one step: a pure function of the frozen plan, one counter row and the event.

No I/O, no clock: the engine applies the answer in the transaction that records the end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from plumber_core.model.plan import Plan, Stage
from plumber_core.model.records import Opening, Progress
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.planning.limits import MANY, failures_before, most_failed, most_missed

Through = Mapping[int, Collection[int]]
"""Stage -> the lanes in which it may begin, where that had to be read."""


class Short(NamedTuple):
    """A stage of which more hosts were ``missed`` than may be, in its whole block."""

    stage: int
    missed: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Step ``step`` (index into the plan) in lane ``lane`` of its stage has ended in ``state``.

    ``missed``: it was never handed out, because its host was offline.
    """

    step: int
    lane: int
    state: StepState
    missed: bool = False


@dataclass(frozen=True, slots=True)
class Advance:
    """``starts`` are (step, lane) pairs to set going. ``boundary`` says that the stage ends with this step.

    ``later`` are the lane's steps after this one, which ``skip_lane`` ends without an event of their own, up to stage
    ``skip_to``. ``halts`` says that with this failure a rollout stops: hosts that have not begun are skipped.
    ``failed_between`` is where the counter of failures must lie for this to be right, None where it does not matter.
    ``unsure`` is a stage of which has to be known first in which lanes it can begin: of a gate where its batch got
    through, of any stage where hosts were left out. ``missed`` leaves the host out, ``short`` tells where too few are.
    """

    stage: int
    lane_ends: bool
    boundary: bool = False
    failed: bool = False
    skip_lane: bool = False
    later: tuple[int, ...] = ()
    skip_to: int = 0
    skip_after_stage: bool = False
    starts: tuple[tuple[int, int], ...] = field(default=())
    execution: ExecutionState | None = None
    warnings: int = 0
    halts: bool = False
    failed_between: tuple[int, int] | None = None
    opening: Opening | None = None
    unsure: int | None = None
    missed: bool = False
    short: Short | None = None


def advance(
    plan: Plan,
    progress: Progress,
    event: Ended,
    *,
    cancelled: bool = False,
    timed_out: bool = False,
    through: Through | None = None,
) -> Advance:
    """Return what follows from ``event``.

    Args:
        plan: the execution's frozen plan.
        progress: the counter row of the step's stage before the event.
        event: the end of a step.
        cancelled: the execution was asked to end: nothing starts any more.
        timed_out: it was, because its time is over.
        through: where stages may begin, as far as an answer without was ``unsure``.
    """
    through = through or {}
    stage = plan.stages[progress.stage]
    gate = stage.batch is not None and stage.batch.gate
    if event.missed and plan.may_leave_out and not gate and not cancelled:
        return _leave_out(plan, progress, event, through)
    tolerated = event.state is StepState.SUCCEEDED or plan.steps[event.step].on_failure == "continue"
    warnings = int(event.state is not StepState.SUCCEEDED and tolerated and not cancelled)
    later = stage.chain[stage.chain.index(event.step) + 1 :]
    if tolerated and not cancelled and later:
        following = (later[0], event.lane)
        return Advance(progress.stage, lane_ends=False, later=later, starts=(following,), warnings=warnings)
    move = _end_lane(plan, progress, later, failed=not tolerated)
    move = replace(move, warnings=warnings)
    if cancelled:
        execution = ExecutionState.FAILED if timed_out else ExecutionState.CANCELLED
        return replace(move, halts=False, failed_between=None, execution=execution if move.boundary else None)
    return _end_stage(plan, progress, move, through) if move.boundary else move


def _leave_out(plan: Plan, progress: Progress, event: Ended, through: Through) -> Advance:
    """A host that was not there is out for good: what comes later may rest on what it has missed."""
    host = plan.stages[progress.stage].host(event.lane)
    following = plan.stages[progress.stage].chain
    later = following[following.index(event.step) + 1 :]
    later += tuple(step for stage in plan.stages[progress.stage + 1 :] if host in stage.hosts for step in stage.chain)
    move = Advance(
        progress.stage,
        lane_ends=True,
        boundary=progress.remaining <= 1,
        skip_lane=bool(later),
        later=tuple(dict.fromkeys(later)),
        skip_to=len(plan.stages) - 1,
        warnings=1,
        missed=True,
    )
    return _end_stage(plan, progress, move, through) if move.boundary else move


def _end_lane(plan: Plan, progress: Progress, later: tuple[int, ...], *, failed: bool) -> Advance:
    stage, boundary = plan.stages[progress.stage], progress.remaining <= 1
    skipped, skip_to = later, progress.stage
    if failed and (gate := _gate_behind(plan, progress.stage)) is not None:
        skipped, skip_to = (*later, *plan.stages[gate].chain), gate
    move = Advance(
        progress.stage,
        lane_ends=True,
        failed=failed,
        skip_lane=failed and bool(skipped),
        later=skipped if failed else later,
        skip_to=skip_to,
        boundary=boundary,
    )
    if not failed or boundary or stage.batch is None:
        return move
    most = most_failed(stage, progress.carried)
    if progress.failed < most:
        return replace(move, failed_between=(0, most - 1))
    halts = progress.failed == most and not stage.batch.gate
    return replace(move, halts=halts, failed_between=(most, most) if halts else (most, MANY))


def _gate_behind(plan: Plan, stage: int) -> int | None:
    """Return the stage of the gate that runs where this batch got through."""
    batch = plan.stages[stage].batch
    if batch is None or batch.gate or stage + 1 == len(plan.stages):
        return None
    following = plan.stages[stage + 1].batch
    return stage + 1 if following is not None and following.follows_hosts else None


def _end_stage(plan: Plan, progress: Progress, move: Advance, through: Through) -> Advance:
    stage, failed = plan.stages[progress.stage], progress.failed + move.failed
    missed = progress.missed + move.missed
    short = Short(progress.stage, missed) if missed > most_missed(plan, stage) else None
    if short or failed > most_failed(stage, progress.carried):
        return replace(move, execution=ExecutionState.FAILED, skip_after_stage=True, short=short)
    tolerated = move.warnings + (failed if stage.batch is not None else 0)
    carried = failures_before(stage, progress) + move.failed
    everywhere = failed == 0 and not plan.may_leave_out
    entry = enter(plan, progress.stage + 1, carried, through=through, everywhere=everywhere, missed=missed)
    return replace(entry, **_of_lane(move), warnings=tolerated)


def _of_lane(move: Advance) -> dict[str, Any]:
    names = ("stage", "lane_ends", "boundary", "failed", "skip_lane", "later", "skip_to", "missed")
    return {name: getattr(move, name) for name in names}


def enter(
    plan: Plan,
    stage: int,
    carried: int,
    *,
    through: Through | None = None,
    everywhere: bool = False,
    waited: bool = False,
    missed: int = 0,
) -> Advance:
    """Return what happens when a stage is reached: it starts, or waits for its pause, or the execution is over.

    Args:
        plan: the execution's frozen plan.
        stage: the index of the stage.
        carried: how many hosts have failed in earlier batches of its rollout.
        through: where stages may begin, as far as an answer without was ``unsure``.
        everywhere: a gate may begin in all of its lanes.
        waited: its pause is over.
        missed: how many hosts were left out in earlier batches of its rollout.
    """
    if stage == len(plan.stages):
        return Advance(stage, lane_ends=False, execution=ExecutionState.SUCCEEDED)
    entered, batch = plan.stages[stage], plan.stages[stage].batch
    begins = batch is None or batch.begins
    if begins and not plan.may_leave_out:
        return Advance(stage, lane_ends=False, starts=first_steps(entered))
    carried, missed = (0, 0) if begins else (carried, missed)
    if batch is not None and batch.pause is not None and not waited:
        waits = Opening(stage, carried, len(entered.hosts), batch.pause, missed)
        return Advance(stage, lane_ends=False, opening=waits)
    lanes = list(entered.lanes)
    if plan.may_leave_out or (batch is not None and batch.follows_hosts and not everywhere):
        if through is None or stage not in through:
            return Advance(stage, lane_ends=False, unsure=stage)
        lanes = [lane for lane in lanes if lane in through[stage]]
    missed += 0 if batch is not None and batch.gate else len(entered.hosts) - len(lanes)
    if not lanes:
        return _pass_over(plan, stage, carried, through, missed)
    starts = tuple((entered.chain[0], lane) for lane in lanes)
    return Advance(stage, lane_ends=False, starts=starts, opening=Opening(stage, carried, len(lanes), None, missed))


def _pass_over(plan: Plan, stage: int, carried: int, through: Through | None, missed: int) -> Advance:
    """Nobody is left for a stage: of a gate nobody has to be asked, of anything else too many were offline."""
    if missed > most_missed(plan, plan.stages[stage]):
        failed = Advance(stage, lane_ends=False, execution=ExecutionState.FAILED)
        return replace(failed, skip_after_stage=True, short=Short(stage, missed))
    return enter(plan, stage + 1, carried, through=through, missed=missed)


def first_steps(stage: Stage) -> tuple[tuple[int, int], ...]:
    """Return the (step, lane) pairs that start a stage."""
    return tuple((stage.chain[0], lane) for lane in stage.lanes)


def try_again(stage: int) -> Advance:
    """Return what follows when a step is tried again: nothing, for it has not ended."""
    return Advance(stage, lane_ends=False)


def cannot_start(plan: Plan, progress: Progress, move: Advance, through: Through | None = None) -> Advance:
    """Return what follows instead when a step of ``move.starts`` cannot be rendered.

    In the middle of a lane that lane has failed; at a boundary the execution has.
    """
    if move.lane_ends:
        return replace(move, starts=(), opening=None, execution=ExecutionState.FAILED, skip_after_stage=True)
    ended = _end_lane(plan, progress, move.later, failed=True)
    return _end_stage(plan, progress, ended, through or {}) if ended.boundary else ended
