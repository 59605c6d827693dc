"""What follows from the end of one step: a pure function of the frozen plan, one counter row and the event.

No I/O, no clock: the engine applies the answer in the transaction that records the end.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

from plumber_core.model.plan import Plan, Stage
from plumber_core.model.records import Opening, Progress
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.planning.limits import MANY, failures_before, most_failed, most_missed


class Short(NamedTuple):
    """A stage of which more hosts were ``missed`` than may be, in its whole block."""

    stage: int
    missed: int


@dataclass(frozen=True, slots=True)
class Left:
    """What is left to do in a stage: its lanes with the steps that they go on with.

    ``failed`` lanes count already; ``missed`` hosts were left out of it because they were offline.
    """

    lanes: Mapping[int, int]
    failed: int = 0
    missed: int = 0


Known = Mapping[int, Left]
_NOTHING: Known = {}


@dataclass(frozen=True, slots=True)
class Ended:
    """Step ``step`` (index into the plan) in lane ``lane`` of its stage has ended in ``state``.

    ``missed``: it was never handed out, because its host was offline. ``left_out``: somebody has taken its host out of
    the execution.
    """

    step: int
    lane: int
    state: StepState
    missed: bool = False
    left_out: bool = False


@dataclass(frozen=True, slots=True)
class Advance:
    """``starts`` are (step, lane) pairs to set going. ``boundary`` says that the stage ends with this step.

    ``execution`` is how the execution ends with it; in a plan of parts only this part does.

    ``later`` are the lane's steps after this one, which ``skip_lane`` ends without an event of their own, up to stage
    ``skip_to``. ``halts`` says that with this failure a rollout stops: hosts that have not begun are skipped.
    ``failed_between`` is where the counter of failures must lie for this to be right, None where it does not matter.
    ``unsure`` is a stage of which has to be known first what is left to do in it: of a gate where its batch got
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
    left: Known = _NOTHING,
    later: Mapping[int, StepState] | None = None,
) -> Advance:
    """Return what follows from ``event``.

    Args:
        plan: the execution's frozen plan.
        progress: the counter row of the step's stage before the event.
        event: the end of a step.
        cancelled: the execution was asked to end: nothing starts any more.
        timed_out: it was, because its time is over.
        left: what is left to do in stages for which an answer without it was ``unsure``.
        later: the states of the lane's later steps of the stage, in an execution in which people have moved steps by
            hand; None in all others, where those are still to come.
    """
    stage = plan.stages[progress.stage]
    gate = stage.batch is not None and stage.batch.gate
    if event.missed and plan.may_leave_out and not gate and not cancelled:
        return _leave_out(plan, progress, event, left, renewed=later is not None)
    tolerated = event.left_out or _is_tolerated(plan, event)
    # Whoever has taken a host out has been warned of it.
    counts = not (cancelled or event.left_out)
    warnings = int(event.state is not StepState.SUCCEEDED and tolerated and counts)
    behind = stage.chain[stage.chain.index(event.step) + 1 :]
    following, stopped = _following(behind, later)
    if tolerated and not cancelled and following is not None:
        starts = ((following, event.lane),)
        return Advance(progress.stage, lane_ends=False, later=behind, starts=starts, warnings=warnings)
    move = end_lane(plan, progress, behind, failed=not tolerated or stopped)
    move = replace(move, warnings=warnings)
    if cancelled:
        execution = ExecutionState.FAILED if timed_out else ExecutionState.CANCELLED
        return replace(move, halts=False, failed_between=None, execution=execution if move.boundary else None)
    return end_stage(plan, progress, move, left, renewed=later is not None) if move.boundary else move


def _is_tolerated(plan: Plan, event: Ended) -> bool:
    """A step that may fail may also be cancelled by somebody: the others go on as they would without it."""
    return event.state is StepState.SUCCEEDED or plan.steps[event.step].on_failure == "continue"


def _following(behind: tuple[int, ...], later: Mapping[int, StepState] | None) -> tuple[int | None, bool]:
    """Return the step with which a lane goes on, and whether one that it will not run stops it."""
    for step in behind:
        state = StepState.BLOCKED if later is None else later.get(step, StepState.BLOCKED)
        if state is StepState.BLOCKED:
            return step, False
        if state in (StepState.CANCELLED, StepState.SKIPPED):
            return None, True
    return None, False


def _leave_out(plan: Plan, progress: Progress, event: Ended, left: Known, *, renewed: bool) -> Advance:
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
    return end_stage(plan, progress, move, left, renewed=renewed) if move.boundary else move


def end_lane(plan: Plan, progress: Progress, later: tuple[int, ...], *, failed: bool) -> Advance:
    """Return the end of a lane, but for what follows from the end of its stage; ``later`` are its steps left."""
    stage, boundary = plan.stages[progress.stage], progress.remaining <= 1
    skipped, skip_to = later, progress.stage
    if failed and (gate := gate_behind(plan, progress.stage)) is not None:
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


def gate_behind(plan: Plan, stage: int) -> int | None:
    """Return the stage of the gate that runs where this batch got through."""
    batch = plan.stages[stage].batch
    if batch is None or batch.gate or stage + 1 == len(plan.stages):
        return None
    following = plan.stages[stage + 1].batch
    return stage + 1 if following is not None and following.follows_hosts else None


def end_stage(plan: Plan, progress: Progress, move: Advance, left: Known, *, renewed: bool) -> Advance:
    """Return what follows when with the end of a lane its stage has ended."""
    stage, failed = plan.stages[progress.stage], progress.failed + move.failed
    missed = progress.missed + move.missed
    short = Short(progress.stage, missed) if missed > most_missed(plan, stage) else None
    if short or failed > most_failed(stage, progress.carried):
        return replace(move, execution=ExecutionState.FAILED, skip_after_stage=True, short=short)
    tolerated = move.warnings + (failed if stage.batch is not None else 0)
    carried = failures_before(stage, progress) + move.failed
    everywhere = failed == 0 and not plan.may_leave_out
    reached = progress.stage + 1
    entry = enter(plan, reached, carried, left=left, everywhere=everywhere, missed=missed, renewed=renewed)
    return replace(entry, **of_lane(move), warnings=tolerated)


def of_lane(move: Advance) -> dict[str, Any]:
    """Return what a move says of the lane that ends, not of what follows."""
    names = ("stage", "lane_ends", "boundary", "failed", "skip_lane", "later", "skip_to", "missed")
    return {name: getattr(move, name) for name in names}


def enter(
    plan: Plan,
    stage: int,
    carried: int,
    *,
    left: Known = _NOTHING,
    everywhere: bool = False,
    waited: bool = False,
    missed: int = 0,
    renewed: bool = False,
) -> Advance:
    """Return what happens when a stage is reached: it starts, waits for its pause, or the execution (part) is over.

    Args:
        plan: the execution's frozen plan.
        stage: the index of the stage.
        carried: how many hosts have failed in earlier batches of its rollout.
        left: what is left to do in stages of which that is known; of a gate, where its batch got through.
        everywhere: a gate may begin in all of its lanes.
        waited: its pause is over.
        missed: how many hosts were left out in earlier batches of its rollout.
        renewed: people have moved steps by hand, so that of any stage only a part may be left.
    """
    if stage == plan.part_of(stage - 1).stop:
        return Advance(stage, lane_ends=False, execution=ExecutionState.SUCCEEDED)
    return begin(plan, stage, carried, left=left, everywhere=everywhere, waited=waited, missed=missed, renewed=renewed)


def begin(
    plan: Plan,
    stage: int,
    carried: int = 0,
    *,
    left: Known = _NOTHING,
    everywhere: bool = False,
    waited: bool = False,
    missed: int = 0,
    renewed: bool = False,
) -> Advance:
    """Return what ``enter`` does for a stage that there is, be it the first one of its part."""
    entered, batch = plan.stages[stage], plan.stages[stage].batch
    begins = batch is None or batch.begins
    carried, missed = (0, 0) if begins else (carried, missed)
    waits = batch is not None and batch.pause is not None and not waited
    asked = plan.may_leave_out or (batch is not None and batch.follows_hosts and not everywhere)
    partial = renewed or (asked and not waits)
    if partial and stage not in left:
        return Advance(stage, lane_ends=False, unsure=stage)
    here = left[stage] if partial else Left({lane: step for step, lane in first_steps(entered)})
    if here.failed > most_failed(entered, carried):
        return Advance(stage, lane_ends=False, execution=ExecutionState.FAILED, skip_after_stage=True)
    missed += here.missed
    if not here.lanes:
        return _pass_over(plan, stage, carried + here.failed, left, missed=missed, renewed=renewed)
    starts = () if waits else tuple(sorted((step, lane) for lane, step in here.lanes.items()))
    if begins and not plan.may_leave_out:
        return Advance(stage, lane_ends=False, starts=starts)
    opening = Opening(stage, carried, len(here.lanes), batch.pause if batch is not None and waits else None, missed)
    return Advance(stage, lane_ends=False, starts=starts, opening=opening)


def _pass_over(plan: Plan, stage: int, carried: int, left: Known, *, missed: int, renewed: bool) -> Advance:
    """Nothing is left to do in a stage: of a gate nobody has to be asked, or too many hosts were offline."""
    if missed > most_missed(plan, plan.stages[stage]):
        failed = Advance(stage, lane_ends=False, execution=ExecutionState.FAILED)
        return replace(failed, skip_after_stage=True, short=Short(stage, missed))
    return enter(plan, stage + 1, carried, left=left, missed=missed, renewed=renewed)


def first_steps(stage: Stage) -> tuple[tuple[int, int], ...]:
    """Return the (step, lane) pairs that start a stage."""
    return tuple((stage.chain[0], lane) for lane in stage.lanes)


def try_again(stage: int) -> Advance:
    """Return what follows when a step is tried again: nothing, for it has not ended."""
    return Advance(stage, lane_ends=False)


def cannot_start(
    plan: Plan, progress: Progress, move: Advance, left: Known = _NOTHING, *, renewed: bool = False
) -> Advance:
    """Return what follows instead when a step of ``move.starts`` cannot be rendered.

    In the middle of a lane that lane has failed; at a boundary the execution has.
    """
    if move.lane_ends:
        return replace(move, starts=(), opening=None, execution=ExecutionState.FAILED, skip_after_stage=True)
    ended = end_lane(plan, progress, move.later, failed=True)
    return end_stage(plan, progress, ended, left, renewed=renewed) if ended.boundary else ended
