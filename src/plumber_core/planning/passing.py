"""What follows where conditions pass a host over: its next step, the end of its lane, or the next stage."""

from __future__ import annotations

from dataclasses import replace

from plumber_core.model.plan import Plan
from plumber_core.model.records import Opening, Progress
from plumber_core.planning.advance import Advance, Known, end_lane, end_stage, enter, of_lane

Pairs = tuple[tuple[int, int], ...]


def lane_goes_on(
    plan: Plan, progress: Progress, move: Advance, starts: Pairs, left: Known, *, renewed: bool = False
) -> Advance:
    """Return what follows when in the midst of a lane ``starts`` are left of a move's; none: the lane has got through.

    ``progress``, ``left`` and ``renewed`` are those of ``advance`` and ``enter``.
    """
    if starts:
        return replace(move, starts=starts)
    ended = replace(end_lane(plan, progress, (), failed=False), warnings=move.warnings)
    return end_stage(plan, progress, ended, left, renewed=renewed) if ended.boundary else ended


def stage_begins(
    plan: Plan, move: Advance, starts: Pairs, left: Known, *, waited: bool = False, renewed: bool = False
) -> Advance:
    """Return what follows when of the lanes of a stage that is reached only those of ``starts`` have something to do.

    Where nobody has, the next stage is reached at once; ``waited``: without its pause.
    """
    if len(starts) == len(move.starts):
        return replace(move, starts=starts)
    stage = plan.stage_of(*move.starts[0])
    carried, missed = (move.opening.carried, move.opening.missed) if move.opening is not None else (0, 0)
    if starts:
        return replace(move, starts=starts, opening=Opening(stage, carried, len(starts), None, missed))
    entry = enter(plan, stage + 1, carried, left=left, everywhere=True, waited=waited, missed=missed, renewed=renewed)
    return replace(entry, **of_lane(move), warnings=move.warnings)
