"""Which parts of a plan begin, and how it ends: a pure function of how its parts stand.

A part is looked at when it ends, never at the end of a step in its midst: what a report costs does not depend on this.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

from plumber_core.model.parts import TURN, Outcome, Part
from plumber_core.model.plan import Plan
from plumber_core.model.stages import Progress
from plumber_core.model.states import ExecutionState
from plumber_core.planning.advance import first_steps
from plumber_core.planning.conditions import Status

ALWAYS_WAIT = 600.0
"""Seconds for which steps that always run may wait for their agents, all of them together."""


@dataclass(frozen=True, slots=True)
class Standing:
    """``outcomes`` of the parts that have ended, by index; ``begun`` are those that have begun, ended ones among them.

    ``cancelled`` and ``timed_out`` are about the execution, ``always_cancelled`` about what always runs.
    """

    outcomes: Mapping[int, Outcome]
    begun: frozenset[int]
    cancelled: bool = False
    timed_out: bool = False
    always_cancelled: bool = False


@dataclass
class Following:
    """What follows now: the parts that begin, those that end without having begun, how all but what always runs ended
    (``main``, once it has), and how the execution ends."""

    begins: list[int] = field(default_factory=list)
    over: dict[int, Outcome] = field(default_factory=dict)
    main: ExecutionState | None = None
    execution: ExecutionState | None = None


def follow(plan: Plan, standing: Standing) -> Following:
    """Return what follows from how the parts of a plan stand."""
    look = _Look(plan, standing)
    main = [index for index in in_order(plan.parts) if not plan.parts[index].always]
    for index in main:
        look.at(index)
    found = look.found
    if any(index not in look.outcomes for index in main):
        return found
    found.main = _end(standing, [look.outcomes[index] for index in main])
    always = [index for index, part in enumerate(plan.parts) if part.always]
    if all(map(look.past, always)):
        found.execution = _with_always(standing, found.main, [look.outcomes[index] for index in always])
    return found


def in_order(parts: Sequence[Part]) -> Iterator[int]:
    """Return the indexes of parts, each after those that it needs.

    Raises: graphlib.CycleError.
    """
    return iter(TopologicalSorter({index: part.needs for index, part in enumerate(parts)}).static_order())


class _Look:
    """Looks at parts one after another. ``outcomes`` grows by those that end without having begun."""

    def __init__(self, plan: Plan, standing: Standing) -> None:
        self.found = Following()
        self.outcomes = dict(standing.outcomes)
        self._plan = plan
        self._standing = standing
        self._troubled: set[int] = set()

    def at(self, index: int) -> None:
        """Decide about a part if its turn has come."""
        part = self._plan.parts[index]
        if self.outcomes.get(index) == "failed" or not self._troubled.isdisjoint(part.needs):
            self._troubled.add(index)
        waits = index not in self.outcomes and index not in self._standing.begun
        if not waits or any(need not in self.outcomes for need in part.needs):
            return
        if self._standing.cancelled:
            self._over(index, "cancelled")
        elif index in self._troubled and not part.after_failure:
            self._over(index, "skipped")
        elif not part.stages:
            self._over(index, "passed")
        else:
            self.found.begins.append(index)

    def past(self, index: int) -> bool:
        """Say whether a part that always runs has ended; it begins if its turn has come."""
        if index in self.outcomes:
            return True
        if index in self._standing.begun:
            return False
        if self._standing.always_cancelled or not self._plan.parts[index].stages:
            self._over(index, "cancelled" if self._standing.always_cancelled else "passed")
            return True
        self.found.begins.append(index)
        return False

    def _over(self, index: int, outcome: Outcome) -> None:
        self.outcomes[index] = self.found.over[index] = outcome


def _end(standing: Standing, outcomes: list[Outcome]) -> ExecutionState:
    if "cancelled" in outcomes:
        return ExecutionState.FAILED if standing.timed_out else ExecutionState.CANCELLED
    return ExecutionState.FAILED if "failed" in outcomes else ExecutionState.SUCCEEDED


def _with_always(standing: Standing, main: ExecutionState, always: list[Outcome]) -> ExecutionState:
    if "failed" in always or (standing.timed_out and "cancelled" in always):
        return ExecutionState.FAILED
    stopped = main is ExecutionState.SUCCEEDED and "cancelled" in always
    return ExecutionState.CANCELLED if stopped else main


def status_of(plan: Plan, standing: Standing, stage: int) -> Status:
    """Return how it went with all that a stage's part waited for."""
    part = plan.part_of(stage)
    if part.always:
        main = follow(plan, standing).main
        return Status(main is ExecutionState.SUCCEEDED, main is ExecutionState.FAILED)
    waiting, seen = list(part.needs), set[int]()
    while waiting:
        index = waiting.pop()
        if index not in seen:
            seen.add(index)
            waiting += plan.parts[index].needs
    failed = any(standing.outcomes.get(index) == "failed" for index in seen)
    return Status(not failed, failed)


def outcome_of(state: ExecutionState | None) -> Outcome | None:
    """Return how a part has ended that would have ended a plan without parts in this state."""
    if state is None:
        return None
    ended: dict[ExecutionState, Outcome] = {
        ExecutionState.SUCCEEDED: "succeeded",
        ExecutionState.CANCELLED: "cancelled",
    }
    return ended.get(state, "failed")


def standing_of(plan: Plan, progress: Mapping[int, Progress], **asked: bool) -> Standing:
    """Return how the parts of a plan stand by the counters of its stages; ``asked`` are the flags of ``Standing``."""
    outcomes: dict[int, Outcome] = {}
    begun = set()
    for index, part in enumerate(plan.parts):
        ended = next((outcome for stage in part.stages if (outcome := progress[stage].outcome) is not None), None)
        if ended is not None:
            outcomes[index] = ended
        if ended is not None or (part.stages and progress[part.first].waits != TURN):
            begun.add(index)
    return Standing(outcomes, frozenset(begun), **asked)


def is_asked(plan: Plan, stage: int) -> bool:
    """Say whether a stage begins with a step that may be passed over."""
    return bool(plan.steps[plan.stages[stage].chain[0]].when)


def first_stages(plan: Plan) -> list[int]:
    """Return the stages whose turn it is when the execution begins."""
    if not plan.parts:
        return [0] if plan.stages else []
    return [plan.parts[index].first for index in follow(plan, Standing({}, frozenset())).begins]


def first_pairs(plan: Plan) -> list[tuple[int, int]]:
    """Return the (step, lane) pairs that begin with the execution without being asked for a condition."""
    begins = [stage for stage in first_stages(plan) if not is_asked(plan, stage)]
    return [pair for stage in begins for pair in first_steps(plan.stages[stage])]


def patience_with_always(plan: Plan) -> float:
    """Return for how many seconds what always runs may take until it is cancelled."""
    total = ALWAYS_WAIT
    for stage in plan.stages[plan.always_from :]:
        for step in (plan.steps[index] for index in stage.chain):
            tries = step.retry.attempts if step.retry else 1
            total += tries * ((step.timeout or 0.0) + step.grace)
            total += (tries - 1) * step.retry.max_delay if step.retry else 0.0
    return total
