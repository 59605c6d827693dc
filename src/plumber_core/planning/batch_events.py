"""What the event log tells of batches: which began, ended, wait, were stopped."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from plumber_core.model.plan import Plan, Stage
from plumber_core.model.records import Opening, Progress, Told
from plumber_core.planning.advance import Advance
from plumber_core.planning.limits import most_failed


def told(plan: Plan, progress: Progress, move: Advance) -> tuple[Told, ...]:
    """Return the events of a move's boundaries, in order."""
    return tuple(_told(plan, progress, move))


def _told(plan: Plan, progress: Progress, move: Advance) -> Iterator[Told]:
    stage, failed = plan.stages[move.stage], progress.failed + move.failed
    most = most_failed(stage, progress.carried)
    if stage.batch is not None and move.halts:
        yield "batch.stopped", {**place(stage), "failed": failed + progress.carried, "allowed": most + progress.carried}
    if stage.batch is not None and move.boundary:
        kind = "gate" if stage.batch.gate else "batch"
        yield f"{kind}.finished", {**place(stage), "failed": failed, "passed": failed <= most}
    if move.lane_ends:
        yield from entered(plan, move)


def entered(plan: Plan, move: Advance) -> Iterator[Told]:
    """Yield what is told of the stage that begins, or waits to."""
    if move.opening is not None and move.opening.pause is not None:
        yield "batch.waiting", waits(plan, move.opening)
    elif move.starts:
        stage = plan.stages[plan.stage_of(*move.starts[0])]
        yield from begins(stage, len(move.starts))


def begins(stage: Stage, hosts: int) -> Iterator[Told]:
    """Yield that a batch or a gate begins."""
    if stage.batch is not None:
        yield f"{'gate' if stage.batch.gate else 'batch'}.started", {**place(stage), "hosts": hosts}


def first(plan: Plan, stages: Iterable[int]) -> tuple[Told, ...]:
    """Return what is told when these stages begin, each the first one of its part."""
    return tuple(one for stage in stages for one in begins(plan.stages[stage], len(plan.stages[stage].hosts)))


def waits(plan: Plan, opening: Opening) -> dict[str, Any]:
    """Return what is told of a stage that waits; ``pause`` is seconds, or manual."""
    return {**behind(plan.stages[opening.stage]), "pause": opening.pause}


def behind(stage: Stage) -> dict[str, Any]:
    """Return which batch of which block has ended when a stage is reached."""
    return {**place(stage), "batch": stage.batch.after if stage.batch is not None else 0}


def place(stage: Stage) -> dict[str, Any]:
    """Return which batch of which block a stage is."""
    batch = stage.batch
    return {} if batch is None else {"block": batch.block, "batch": batch.number, "batches": batch.count}
