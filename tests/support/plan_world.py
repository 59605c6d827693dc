"""An engine of nothing but the pure planner: random agents take what is ready and report, in any order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import strategies as st

from plumber_core.model.parts import TURN, Outcome
from plumber_core.model.plan import Plan
from plumber_core.model.records import Progress
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.planning.absence import left_for
from plumber_core.planning.advance import Advance, Ended, Known, Left, advance, begin, cannot_start, enter, first_steps
from plumber_core.planning.graph import Standing, first_stages, follow, is_asked, outcome_of, standing_of
from plumber_core.planning.passing import lane_goes_on, stage_begins

S = StepState
BAD = [S.FAILED, S.TIMED_OUT, S.LOST]


@dataclass
class World:
    """Does what the engine does with a plan: every step of it is one write."""

    plan: Plan
    data: st.DataObject
    capacity: int
    counters: dict[int, Progress] = field(default_factory=dict)
    cells: dict[tuple[int, int], StepState] = field(default_factory=dict)
    order: list[tuple[int, int]] = field(default_factory=list)
    passed: set[tuple[int, int]] = field(default_factory=set)
    """What was not to be done: a condition was false, or somebody said so."""
    ended: ExecutionState | None = None
    warnings: int = 0
    halted_at: int | None = None
    never: frozenset[tuple[int, int]] = frozenset()
    """Where conditions are false."""
    cancels: int = 0
    """How often somebody may cancel, at any moment."""
    cancelled: bool = False
    always_cancelled: bool = False
    main: ExecutionState | None = None
    renewed: bool = False
    """Whether rows of an earlier round lie beneath."""

    def __post_init__(self) -> None:
        begins = [number for number in first_stages(self.plan) if not is_asked(self.plan, number)]
        waits = {part.first: TURN for part in self.plan.parts if part.stages and part.first not in begins}
        for number, stage in enumerate(self.plan.stages):
            self.counters[number] = Progress(number, len(stage.hosts), 0, 0, waits=waits.get(number))
            self.cells |= {(step, lane): S.BLOCKED for step in stage.chain for lane in stage.lanes}
        for number in begins:
            self._start(first_steps(self.plan.stages[number]))
        if len(begins) < len(first_stages(self.plan)):
            self.turn()

    def run(self) -> None:
        """Let agents take what is ready and report, in any order, and pauses end, until nothing is left to do."""
        for _ in range(100_000):
            choices = self.choices()
            if not choices:
                return
            self.do(*self.data.draw(st.sampled_from(choices)))
        raise AssertionError("it never ends")

    def do(self, kind: str, place: tuple[int, int]) -> None:
        """Let one of the ``choices`` happen."""
        if kind == "take":
            self.cells[place] = S.RUNNING
            self.order.append(place)
        elif kind == "open":
            self._open(place[0])
        elif kind == "cancel":
            self._cancel()
        else:
            self._report(place)

    def choices(self) -> list[tuple[str, tuple[int, int]]]:
        running = [place for place, state in self.cells.items() if state is S.RUNNING]
        ready = [place for place, state in self.cells.items() if state is S.READY]
        waiting = [number for number, progress in self.counters.items() if progress.pauses]
        cancels = [("cancel", (0, 0))] if self.cancels and self.ended is None else []
        takes = [("take", place) for place in ready] if len(running) < self.capacity else []
        return (
            takes + [("report", place) for place in running] + [("open", (number, 0)) for number in waiting] + cancels
        )

    def _report(self, place: tuple[int, int]) -> None:
        assert self.ended is None
        step, lane = place
        state = self.data.draw(st.sampled_from([S.SUCCEEDED] * 5 + BAD))
        progress = self.counters[self.plan.stage_of(step, lane)]
        cancelled, later = self.is_cancelled(progress.stage), self._later(place)
        if cancelled and self.data.draw(st.booleans()):
            state = S.CANCELLED

        def decide(left: Known) -> Advance:
            ended = Ended(step, lane, state)
            return advance(self.plan, progress, ended, cancelled=cancelled, left=left, later=later)

        move, passed = self._asked(progress, self._sure(lane, decide), lane)
        if move.starts and self.data.draw(st.integers(0, 19)) == 0:
            before = move
            passed = [one for one in passed if before.lane_ends and self.plan.stage_of(*one) == before.stage]
            again = self.renewed
            move = self._sure(lane, lambda left: cannot_start(self.plan, progress, before, left, renewed=again))
            move, more = self._asked(progress, move, lane)
            passed += more
        self._pass(passed)
        self.cells[place] = state
        self._apply(move, place)

    def _later(self, place: tuple[int, int]) -> Mapping[int, StepState] | None:
        """Return where the later steps of a lane stand, where they are not all still to come."""
        return None

    def _pass(self, passed: list[tuple[int, int]]) -> None:
        for one in passed:
            assert self.cells[one] is S.BLOCKED
            self.cells[one] = S.SKIPPED
            self.passed.add(one)

    def _ask(self, starts: tuple[tuple[int, int], ...]) -> tuple[tuple[tuple[int, int], ...], list[tuple[int, int]]]:
        """Do what ``engine.conditions.ask`` does."""
        left, passed = [], []
        for step, lane in starts:
            chain = self.plan.stages[self.plan.stage_of(step, lane)].chain
            for one in chain[chain.index(step) :]:
                if (one, lane) not in self.never or not self.plan.steps[one].when:
                    left.append((one, lane))
                    break
                passed.append((one, lane))
        return tuple(left), passed

    def _asked(self, progress: Progress, move: Advance, lane: int) -> tuple[Advance, list[tuple[int, int]]]:
        passed: list[tuple[int, int]] = []
        while move.starts:
            starts, more = self._ask(move.starts)
            if not more:
                break
            passed += more
            move = self._sure(lane, self._left(progress, move, starts))
            if starts:
                break
        return move, passed

    def _left(self, progress: Progress, move: Advance, starts: tuple[tuple[int, int], ...]) -> Any:
        if move.lane_ends:
            return lambda left: stage_begins(self.plan, move, starts, left)
        return lambda left: lane_goes_on(self.plan, progress, move, starts, left)

    def _sure(self, lane: int | None, decide: Callable[[Known], Advance]) -> Advance:
        left: dict[int, Left] = {}
        while (move := decide(left)).unsure is not None:
            assert move.unsure not in left
            found = left_for(self.plan, move, lane, self._blocked(move.unsure))
            left[move.unsure] = replace(found, failed=self.counters[move.unsure].failed if self.renewed else 0)
        return move

    def _blocked(self, stage: int) -> dict[int, int]:
        found = self.plan.stages[stage]
        lanes = {lane: [s for s in found.chain if self.cells[s, lane] is S.BLOCKED] for lane in found.lanes}
        return {lane: steps[0] for lane, steps in lanes.items() if steps}

    def _apply(self, move: Advance, place: tuple[int, int]) -> None:
        lane = place[1]
        before = self.counters[move.stage]
        if move.failed_between is not None:
            assert move.failed_between[0] <= before.failed <= move.failed_between[1]
        if move.lane_ends:
            self.counters[move.stage] = _less(before, move.failed)
        if move.skip_lane:
            self._skip(lambda s, at: at == lane and move.stage <= s <= move.skip_to)
        if move.halts:
            self._halt(move.stage)
        if move.opening is not None:
            self._reach(move.opening)
        self._start(move.starts)
        self.warnings += move.warnings
        self._end(move, move.stage)

    def _halt(self, number: int) -> None:
        stage = self.plan.stages[number]
        unbegun = [lane for lane in stage.lanes if self.cells[stage.chain[0], lane] is S.READY]
        for lane in unbegun:
            self.cells[stage.chain[0], lane] = S.BLOCKED
        self._skip(lambda s, at: s == number and at in unbegun)
        left = self.counters[number]
        remaining = left.remaining - len(unbegun)
        self.counters[number] = Progress(number, remaining, left.failed, left.control, left.carried)
        self.halted_at = len(self.order)
        if remaining == 0:
            self._over(number, ExecutionState.FAILED, skips=True)

    def _reach(self, opening: Any) -> None:
        failed = self.counters[opening.stage].failed
        self.counters[opening.stage] = Progress(opening.stage, opening.lanes, failed, 1, opening.carried, opening.waits)

    def _open(self, number: int) -> None:
        progress = self.counters[number]
        carried, again = progress.carried, self.renewed
        move = self._sure(None, lambda left: enter(self.plan, number, carried, waited=True, left=left, renewed=again))
        while move.starts:
            starts, passed = self._ask(move.starts)
            self._pass(passed)
            move = stage_begins(self.plan, move, starts, {})
            if starts:
                break
        self.counters[number] = Progress(number, 0, progress.failed, 2, carried)
        if move.opening is not None:
            self._reach(move.opening)
        self._start(move.starts)
        self._end(move, number)

    def _end(self, move: Advance, stage: int) -> None:
        if move.execution is not None:
            self._over(stage, move.execution, skips=move.skip_after_stage)

    def _over(self, stage: int, state: ExecutionState, *, skips: bool) -> None:
        """The execution ends, or the part in which this stage stands."""
        if skips:
            self._skip(lambda s, at: stage < s < self.plan.part_of(stage).stop)
        if not self.plan.parts:
            self.ended = state
            return
        self._end_part(stage, outcome_of(state) or "failed")
        self.turn()

    def _end_part(self, stage: int, outcome: Outcome) -> None:
        one = self.counters[stage]
        self.counters[stage] = Progress(stage, 0, one.failed, one.control + 1, one.carried, outcome=outcome)

    def is_cancelled(self, stage: int) -> bool:
        return self.always_cancelled if self.plan.part_of(stage).always else self.cancelled

    def standing(self) -> Standing:
        asked = {"cancelled": self.cancelled, "always_cancelled": self.always_cancelled}
        return standing_of(self.plan, self.counters, **asked)

    def turn(self) -> None:
        """Let everything begin whose turn has come; what cannot be rendered has failed."""
        found = follow(self.plan, self.standing())
        again = False
        for index, outcome in found.over.items():
            self._never(index, outcome)
        for index in found.begins:
            if self.data.draw(st.integers(0, 19)) == 0:
                self._never(index, "failed")
                again = True
            else:
                again = self._begin(index) or again
        self.main = found.main
        self.ended = found.execution
        if again:
            self.turn()

    def _begin(self, index: int) -> bool:
        """Begin a part where anybody has something to do; say that nobody has, so that more may follow."""
        first = self.plan.parts[index].first
        move = begin(self.plan, first, waited=True)
        while move.starts:
            starts, passed = self._ask(move.starts)
            self._pass(passed)
            if starts:
                stage = self.plan.stage_of(*starts[0])
                self.counters[first] = replace(self.counters[first], waits=None, remaining=0)
                self.counters[stage] = replace(self.counters[stage], waits=None, remaining=len(starts))
                self._start(starts)
                return False
            move = stage_begins(self.plan, move, (), {}, waited=True)
        self._never(index, "passed")
        return True

    def _never(self, index: int, outcome: Outcome) -> None:
        part = self.plan.parts[index]
        if part.stages:
            self._end_part(part.first, outcome)
            self._skip(lambda s, at: s in part.stages)

    def _cancel(self) -> None:
        """What waits ends, what runs is asked to; what always runs only by a cancel of its own."""
        self.cancels -= 1
        self.cancelled = True
        self.always_cancelled = self.always_cancelled or self.main is not None
        for part in self.plan.parts:
            if not part.stages or (part.always and not self.always_cancelled):
                continue
            places = [
                (step, lane)
                for n in part.stages
                for step in self.plan.stages[n].chain
                for lane in self.plan.stages[n].lanes
            ]
            for place in places:
                if self.cells[place] in (S.BLOCKED, S.READY):
                    self.cells[place] = S.CANCELLED
            live = {self.plan.stage_of(*place) for place in places if self.cells[place] is S.RUNNING}
            ended = any(self.counters[n].outcome for n in part.stages)
            for n in part.stages:
                lanes = {
                    lane for s, lane in places if self.cells[s, lane] is S.RUNNING and self.plan.stage_of(s, lane) == n
                }
                self.counters[n] = replace(self.counters[n], remaining=len(lanes), waits=None)
            if not live and not ended:
                self._end_part(part.first, "cancelled")
        if not any(state is S.RUNNING for state in self.cells.values()):
            self.turn()

    def _start(self, starts: tuple[tuple[int, int], ...]) -> None:
        for place in starts:
            assert self.cells[place] is S.BLOCKED
            self.cells[place] = S.READY

    def _skip(self, which: Any) -> None:
        for (step, lane), state in self.cells.items():
            if state is S.BLOCKED and which(self.plan.stage_of(step, lane), lane):
                self.cells[step, lane] = S.SKIPPED


def _less(before: Progress, failed: bool) -> Progress:
    return Progress(before.stage, before.remaining - 1, before.failed + failed, before.control, before.carried)
