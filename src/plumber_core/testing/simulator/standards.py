"""What a plan says of order and of locks, read from it apart from the engine: seeds are judged by it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from plumber_core.ids import step_execution_id
from plumber_core.model.plan import Plan, PlanLock


class Claim(NamedTuple):
    """Who holds something, and how many may at once; any number if None."""

    holder: str
    most: int | None


def before(plan: Plan, stage: int) -> frozenset[int]:
    """Return the stages that have ended when a stage begins."""
    if not plan.parts:
        return frozenset(range(stage))
    mine = _part(plan, stage)
    found = {one for one in plan.parts[mine].stages if one < stage}
    for index in _needed(plan, mine):
        found |= set(plan.parts[index].stages)
    return frozenset(found)


def must_be_well(plan: Plan, stage: int) -> frozenset[int]:
    """Return the stages of which none may have failed when a stage begins whose step does not ask for failures."""
    mine = _part(plan, stage) if plan.parts else 0
    if not plan.parts or plan.parts[mine].always or plan.parts[mine].after_failure:
        return frozenset()
    return frozenset(one for index in _needed(plan, mine) for one in plan.parts[index].stages)


def _part(plan: Plan, stage: int) -> int:
    return next(index for index, part in enumerate(plan.parts) if stage in part.stages)


def _needed(plan: Plan, index: int) -> set[int]:
    if plan.parts[index].always:
        return {one for one, part in enumerate(plan.parts) if not part.always or one < index}
    found, waiting = set[int](), list(plan.parts[index].needs)
    while waiting:
        one = waiting.pop()
        if one not in found:
            found.add(one)
            waiting += plan.parts[one].needs
    return found


def held(plan: Plan, execution: str, step: int, lane: int, round: int, host: str) -> dict[str, Claim]:
    """Return what is held while a step runs on a host, by its execution and by itself."""
    found = {f"lock {lock.name}": Claim(execution, lock.most) for lock in plan.locks}
    if (queue := plan.concurrency) is not None:
        found[f"queue {queue.key}"] = Claim(execution, queue.limit)
    own = step_execution_id(execution, step, lane, round)
    return found | {_name(lock, host): Claim(own, lock.most) for lock in plan.steps[step].locks}


def _name(lock: PlanLock, host: str) -> str:
    return f"lock {lock.name.replace('{agent}', host)}"


def too_many(mine: Claim, others: Mapping[str, Claim]) -> bool:
    """Say whether one more holds something than somebody minds; ``others`` are by holder."""
    all_ = [mine, *(claim for holder, claim in others.items() if holder != mine.holder)]
    limits = [claim.most for claim in all_ if claim.most is not None]
    return bool(limits) and len(all_) > min(limits)
