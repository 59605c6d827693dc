"""What follows from the end of one step: a pure function of the frozen plan, one counter row and the event.

No I/O, no clock: the engine applies the answer in the transaction that records the end.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from plumber_core.model.plan import Plan, Stage
from plumber_core.model.records import Progress
from plumber_core.model.states import ExecutionState, StepState


@dataclass(frozen=True, slots=True)
class Ended:
    """Step ``step`` (index into the plan) in lane ``lane`` of its stage has ended in ``state``."""

    step: int
    lane: int
    state: StepState


@dataclass(frozen=True, slots=True)
class Advance:
    """``starts`` are (step, lane) pairs to set going. ``boundary`` says that the stage ends with this step."""

    stage: int
    lane_ends: bool
    boundary: bool = False
    failed: bool = False
    skip_lane: bool = False
    skip_after_stage: bool = False
    starts: tuple[tuple[int, int], ...] = field(default=())
    execution: ExecutionState | None = None
    warnings: int = 0


def advance(plan: Plan, progress: Progress, event: Ended, *, cancelled: bool = False) -> Advance:
    """Return what follows from ``event``.

    Args:
        plan: the execution's frozen plan.
        progress: the counter row of the step's stage before the event.
        event: the end of a step.
        cancelled: the execution was asked to end: nothing starts any more.
    """
    stage = plan.stages[progress.stage]
    tolerated = event.state is StepState.SUCCEEDED or plan.steps[event.step].on_failure == "continue"
    warnings = int(event.state is not StepState.SUCCEEDED and tolerated and not cancelled)
    position = stage.chain.index(event.step)
    if tolerated and not cancelled and position + 1 < len(stage.chain):
        following = (stage.chain[position + 1], event.lane)
        return Advance(progress.stage, lane_ends=False, starts=(following,), warnings=warnings)
    lane = Advance(
        progress.stage,
        lane_ends=True,
        failed=not tolerated,
        skip_lane=not tolerated and position + 1 < len(stage.chain),
        boundary=progress.remaining <= 1,
        warnings=warnings,
    )
    return _end_stage(plan, progress, lane, cancelled=cancelled) if lane.boundary else lane


def _end_stage(plan: Plan, progress: Progress, lane: Advance, *, cancelled: bool) -> Advance:
    if cancelled:
        return replace(lane, execution=ExecutionState.CANCELLED)
    if progress.failed or lane.failed:
        return replace(lane, execution=ExecutionState.FAILED, skip_after_stage=True)
    if progress.stage + 1 == len(plan.stages):
        return replace(lane, execution=ExecutionState.SUCCEEDED)
    return replace(lane, starts=first_steps(plan.stages[progress.stage + 1]))


def first_steps(stage: Stage) -> tuple[tuple[int, int], ...]:
    """Return the (step, lane) pairs that start a stage."""
    return tuple((stage.chain[0], lane) for lane in range(len(stage.hosts)))


def cannot_start(progress: Progress, move: Advance) -> Advance:
    """Return what follows instead when a step of ``move.starts`` cannot be rendered.

    In the middle of a lane that lane has failed; at a boundary the execution has.
    """
    boundary = progress.remaining <= 1
    failed = replace(move, starts=(), lane_ends=True, boundary=boundary, failed=True, skip_lane=not move.lane_ends)
    return replace(failed, execution=ExecutionState.FAILED, skip_after_stage=True) if boundary else failed
