"""Carries out plans as the engine does, without it: for random plans, failures and orders of reports."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st

from plumber_core.model.agent import AgentRef
from plumber_core.model.plan import Plan
from plumber_core.model.records import Progress
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.task import Gate, Rollout, Step, Task
from plumber_core.planning.advance import Advance, Ended, Left, advance, cannot_start, enter, first_steps
from plumber_core.planning.expand import expand

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
    ended: ExecutionState | None = None
    warnings: int = 0
    halted_at: int | None = None
    renewed: bool = False

    def __post_init__(self) -> None:
        for number, stage in enumerate(self.plan.stages):
            self.counters[number] = Progress(number, len(stage.hosts), 0, 0)
            self.cells |= {(step, lane): S.BLOCKED for step in stage.chain for lane in stage.lanes}
        self._start(first_steps(self.plan.stages[0]))

    def run(self) -> None:
        """Let agents take what is ready and report, in any order, and pauses end, until nothing is left to do."""
        for _ in range(100_000):
            choices = self._choices()
            if not choices:
                return
            kind, place = self.data.draw(st.sampled_from(choices))
            if kind == "take":
                self.cells[place] = S.RUNNING
                self.order.append(place)
            elif kind == "open":
                self._open(place[0])
            else:
                self._report(place)
        raise AssertionError("it never ends")

    def _choices(self) -> list[tuple[str, tuple[int, int]]]:
        running = [place for place, state in self.cells.items() if state is S.RUNNING]
        ready = [place for place, state in self.cells.items() if state is S.READY]
        waiting = [number for number, progress in self.counters.items() if progress.waits]
        takes = [("take", place) for place in ready] if len(running) < self.capacity else []
        return takes + [("report", place) for place in running] + [("open", (number, 0)) for number in waiting]

    def _report(self, place: tuple[int, int]) -> None:
        assert self.ended is None
        step, lane = place
        state = self.data.draw(st.sampled_from([S.SUCCEEDED] * 5 + BAD))
        progress = self.counters[self.plan.stage_of(step, lane)]
        ended, later, renewed = Ended(step, lane, state), self._later(place), self.renewed
        move = self._sure(lane, lambda left: advance(self.plan, progress, ended, left=left, later=later))
        if move.starts and self.data.draw(st.integers(0, 19)) == 0:
            move = self._sure(lane, lambda left: cannot_start(self.plan, progress, move, left, renewed=renewed))
        self.cells[place] = state
        self._apply(move, place)

    def _later(self, place: tuple[int, int]) -> Mapping[int, StepState] | None:
        return None

    def _sure(self, lane: int | None, decide: Any) -> Advance:
        left: dict[int, Left] = {}
        while (move := decide(left)).unsure is not None:
            assert move.unsure not in left
            left[move.unsure] = self._left(move.unsure, {lane} if move.failed else set())
        return move

    def _left(self, number: int, fallen: Collection[int | None]) -> Left:
        stage = self.plan.stages[number]
        follows = stage.batch is not None and stage.batch.follows_hosts
        lanes: dict[int, int] = {}
        for lane in stage.lanes:
            blocked = [step for step in stage.chain if self.cells[step, lane] is S.BLOCKED]
            if blocked and not (follows and lane in fallen):
                lanes[lane] = blocked[0]
        return Left(lanes, self.counters[number].failed if self.renewed else 0)

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
            self.ended = ExecutionState.FAILED
            self._skip(lambda s, at: s > number)

    def _reach(self, opening: Any) -> None:
        failed = self.counters[opening.stage].failed
        self.counters[opening.stage] = Progress(opening.stage, opening.lanes, failed, 1, opening.carried, opening.waits)

    def _open(self, number: int) -> None:
        progress = self.counters[number]
        carried, renewed = progress.carried, self.renewed
        move = self._sure(None, lambda left: enter(self.plan, number, carried, waited=True, left=left, renewed=renewed))
        self.counters[number] = Progress(number, 0, progress.failed, 2, progress.carried)
        if move.opening is not None:
            self._reach(move.opening)
        self._start(move.starts)
        self._end(move, number)

    def _end(self, move: Advance, stage: int) -> None:
        if move.execution is not None:
            self.ended = move.execution
            if move.skip_after_stage:
                self._skip(lambda s, at: s > stage)

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


_AMOUNT = st.one_of(st.integers(0, 4), st.sampled_from(["0%", "10%", "30%", "100%"]))
ROLLOUTS = st.builds(
    Rollout,
    batches=st.sampled_from(["1", "100%", "1 2 100%", "30%", "1 *2", "2 +1", "1 10% 50% 100%"]),
    max_failures=st.one_of(
        _AMOUNT, st.fixed_dictionaries({"batch": _AMOUNT}), st.fixed_dictionaries({"total": _AMOUNT, "batch": _AMOUNT})
    ),
    pause=st.sampled_from([None, "manual", "1m"]),
    gate=st.sampled_from([None, Gate(run="true"), Gate(run="true", on="h0"), Gate(run="true", on="any 2 of all")]),
    order=st.sampled_from(["name", "random"]),
)


@st.composite
def tasks(draw: st.DrawFn) -> tuple[Task, int]:
    steps = []
    for number in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            inner = tuple(
                Step(name=f"s{number}.{n}", run="true", on_failure=draw(st.sampled_from(["stop", "stop", "continue"])))
                for n in range(draw(st.integers(1, 3)))
            )
            steps.append(Step(name=f"s{number}", steps=inner, rollout=draw(st.none() | ROLLOUTS)))
        else:
            rollout = draw(st.none() | ROLLOUTS)
            steps.append(Step(name=f"s{number}", run="true", rollout=rollout))
    return Task(name="t", on="all", steps=tuple(steps)), draw(st.integers(2, 9))


def planned(task: Task, hosts: int) -> Plan:
    return expand(task, {}, [AgentRef(f"h{n}", f"h{n}") for n in range(hosts)])
