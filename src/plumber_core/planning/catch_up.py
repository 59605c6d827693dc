"""Where an execution stands whose steps may have ended in any order: a pure function of all its steps.

Usually one counter row tells what follows from a step's end. After the database has forgotten commits, agents tell
again what they did, each its own part in its own order, so the whole is looked at instead.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from plumber_core.model.parts import Outcome
from plumber_core.model.plan import Plan, Stage
from plumber_core.model.states import TERMINAL_STEP_STATES, ExecutionState, StepState
from plumber_core.planning.limits import most_failed

Cells = Mapping[tuple[int, int], StepState]
"""(step, lane) -> its state in its newest round."""
_MISSED = frozenset({StepState.SKIPPED, StepState.EXPIRED})
_NOT_BEGUN = frozenset({StepState.BLOCKED, StepState.READY})


@dataclass
class CaughtUp:
    """What is to be written: ``counters`` are (remaining lanes, failed lanes) by stage, ``carried`` the hosts that have
    failed in the batches before. ``waits`` is a stage that has to wait for its pause, unless it does already."""

    counters: list[tuple[int, int]] = field(default_factory=list)
    carried: list[int] = field(default_factory=list)
    starts: list[tuple[int, int]] = field(default_factory=list)
    skips: list[tuple[int, int]] = field(default_factory=list)
    waits: int | None = None
    begun: list[int] = field(default_factory=list)
    """The first stages of the parts that have begun."""
    outcomes: list[tuple[int, Outcome]] = field(default_factory=list)
    """How parts have ended, by their first stages."""
    execution: ExecutionState | None = None


def catch_up(plan: Plan, cells: Cells, *, cancelled: bool = False, timed_out: bool = False) -> CaughtUp:
    """Return where the execution stands and what can be set going now.

    Args:
        plan: the frozen plan.
        cells: every step's state.
        cancelled: nothing starts any more.
        timed_out: it was cancelled because its time is over.

    A plan of parts is looked at by ``catch_up_parts``.
    """
    assert not plan.parts
    walk = Walk(plan, cells, cancelled)
    for number in range(len(plan.stages)):
        walk.visit(number)
    found = walk.found
    if not any(remaining for remaining, _ in found.counters):
        found.execution = _end(walk.stopped, cancelled, timed_out)
    return found


class Walk:
    """Goes through the stages in order: are all before it ended (``reached``), and has one failed (``stopped``)."""

    def __init__(self, plan: Plan, cells: Cells, cancelled: bool, found: CaughtUp | None = None) -> None:
        self.found = CaughtUp() if found is None else found
        self.stopped = False
        self._plan = plan
        self._cells = cells
        self._cancelled = cancelled
        self._reached = True
        self._carried = 0
        self._fallen: frozenset[int] = frozenset()
        self._skipped: set[tuple[int, int]] = set()

    def visit(self, number: int) -> None:
        stage, found = self._plan.stages[number], self.found
        batch = stage.batch
        if batch is None or batch.begins:
            self._carried, self._fallen = 0, frozenset()
        left_out = self._fallen if batch is not None and batch.follows_hosts else frozenset()
        lanes = {lane: self._lane(stage, lane) for lane in stage.lanes if lane not in left_out}
        fallen = frozenset(lane for lane, (_, failed) in lanes.items() if failed)
        stops = len(fallen) > most_failed(stage, self._carried) or self._was_stopped(stage, left_out)
        self._skip(
            stage, left_out | fallen, everything=self.stopped, unbegun=stops and batch is not None and not batch.gate
        )
        goes_on = self._reached and not self.stopped and not self._cancelled
        waits = goes_on and self._must_wait(number)
        if waits:
            found.waits = number
        elif goes_on:
            found.starts += self._following(lanes)
        remaining = sum(self._is_open(stage, lane) for lane in stage.lanes)
        found.counters.append((remaining, len(fallen)))
        found.carried.append(self._carried)
        self.stopped = self.stopped or stops
        self._reached = self._reached and remaining == 0 and not waits
        if batch is not None and not batch.gate:
            self._carried, self._fallen = self._carried + len(fallen), fallen

    def _lane(self, stage: Stage, lane: int) -> tuple[int | None, bool]:
        """Return the first step of a lane that has not ended, and whether an ended one stops the lane."""
        following: int | None = None
        if stage.batch is not None and self._cells[stage.chain[0], lane] is StepState.SKIPPED:
            return None, False
        for step in stage.chain:
            state = self._cells[step, lane]
            if state not in TERMINAL_STEP_STATES:
                following = step if following is None else following
            elif self._leaves_out(stage) and state in _MISSED:
                return None, False
            elif state is StepState.SKIPPED:
                # Something before it had failed, or it could not be rendered: nothing of that is tolerated.
                return None, True
            elif state is not StepState.SUCCEEDED and self._plan.steps[step].on_failure != "continue":
                return None, True
        return following, False

    def _leaves_out(self, stage: Stage) -> bool:
        """Whether the execution goes on without hosts that are not there for a stage; a gate asks all of them."""
        return self._plan.may_leave_out and (stage.batch is None or not stage.batch.gate)

    def _was_stopped(self, stage: Stage, left_out: frozenset[int]) -> bool:
        """In a rollout a host is skipped from its first step on only when all of it has stopped."""
        firsts = (self._cells[stage.chain[0], lane] for lane in stage.lanes if lane not in left_out)
        return stage.batch is not None and not self._leaves_out(stage) and StepState.SKIPPED in firsts

    def _must_wait(self, number: int) -> bool:
        """A stage of which anything has begun has waited, whoever remembers it, and so has one with a later batch that
        has: nobody may be left for a gate."""
        batch = self._plan.stages[number].batch
        if batch is None or batch.pause is None:
            return False
        later = (stage for stage in self._plan.stages[number:] if stage.batch and stage.batch.block == batch.block)
        began = (self._cells[step, lane] for stage in later for step in stage.chain for lane in stage.lanes)
        return all(state in (StepState.BLOCKED, StepState.SKIPPED) for state in began)

    def _skip(self, stage: Stage, lanes: frozenset[int], *, everything: bool, unbegun: bool) -> None:
        """Skip the rest of ``lanes``, of all lanes, or of those that have not begun."""
        for lane in stage.lanes:
            first = self._cells[stage.chain[0], lane]
            over = everything or lane in lanes
            skipped = _NOT_BEGUN if unbegun and first in _NOT_BEGUN else {StepState.BLOCKED} if over else frozenset()
            places = [(step, lane) for step in stage.chain if self._cells[step, lane] in skipped]
            self.found.skips += places
            self._skipped.update(places)

    def _following(self, lanes: Mapping[int, tuple[int | None, bool]]) -> list[tuple[int, int]]:
        """Return what can be set going: the next step of each lane, unless it has been or is skipped."""
        following = [(step, lane) for lane, (step, _) in lanes.items() if step is not None]
        return [one for one in following if self._cells[one] is StepState.BLOCKED and one not in self._skipped]

    def _is_open(self, stage: Stage, lane: int) -> bool:
        places = ((step, lane) for step in stage.chain)
        return any(self._cells[one] not in TERMINAL_STEP_STATES and one not in self._skipped for one in places)


def _end(failed: bool, cancelled: bool, timed_out: bool) -> ExecutionState:
    if cancelled:
        return ExecutionState.FAILED if timed_out else ExecutionState.CANCELLED
    return ExecutionState.FAILED if failed else ExecutionState.SUCCEEDED
