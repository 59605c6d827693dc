"""Rollouts as the pure planner carries them out: for random plans, failures and orders of reports."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from plumber_core.model.agent import AgentRef
from plumber_core.model.plan import Plan, Stage
from plumber_core.model.records import Progress
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.task import Gate, Rollout, Step, Task
from plumber_core.planning.advance import Advance, Ended, advance, cannot_start, enter, first_steps
from plumber_core.planning.catch_up import catch_up
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
        move = self._sure(lane, lambda through: advance(self.plan, progress, Ended(step, lane, state), through=through))
        if move.starts and self.data.draw(st.integers(0, 19)) == 0:
            move = self._sure(lane, lambda through: cannot_start(self.plan, progress, move, through))
        self.cells[place] = state
        self._apply(move, place)

    def _sure(self, lane: int, decide: Any) -> Advance:
        move: Advance = decide(None)
        if move.unsure is None:
            return move
        through = self._blocked(move.unsure)
        move = decide(through - {lane} if move.failed else through)
        assert move.unsure is None
        return move

    def _blocked(self, stage: int) -> frozenset[int]:
        found = self.plan.stages[stage]
        return frozenset(lane for lane in found.lanes if self.cells[found.chain[0], lane] is S.BLOCKED)

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
        self.counters[opening.stage] = Progress(opening.stage, opening.lanes, 0, 1, opening.carried, opening.waits)

    def _open(self, number: int) -> None:
        progress = self.counters[number]
        move = enter(self.plan, number, progress.carried, waited=True)
        if move.unsure is not None:
            move = enter(self.plan, number, progress.carried, waited=True, through=self._blocked(move.unsure))
        self.counters[number] = Progress(number, 0, 0, 2, progress.carried)
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
_ROLLOUT = st.builds(
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
            steps.append(Step(name=f"s{number}", steps=inner, rollout=draw(st.none() | _ROLLOUT)))
        else:
            rollout = draw(st.none() | _ROLLOUT)
            steps.append(Step(name=f"s{number}", run="true", rollout=rollout))
    return Task(name="t", on="all", steps=tuple(steps)), draw(st.integers(2, 9))


def planned(task: Task, hosts: int) -> Plan:
    return expand(task, {}, [AgentRef(f"h{n}", f"h{n}") for n in range(hosts)])


def host_failures(world: World, stage: Stage) -> int:
    """Return how many hosts of a stage have begun and not got through, which includes those that could not go on."""

    def got_through(lane: int) -> bool:
        states = [(world.cells[step, lane], world.plan.steps[step].on_failure) for step in stage.chain]
        return all(state is S.SUCCEEDED or (state in BAD and on == "continue") for state, on in states)

    begun = [lane for lane in stage.lanes if world.cells[stage.chain[0], lane] is not S.SKIPPED]
    return sum(not got_through(lane) for lane in begun)


@settings(max_examples=300, deadline=None)
@given(tasks(), st.integers(1, 12), st.data())
def test_no_step_before_its_needs_never_above_the_limit_and_every_execution_ends(
    given_task: tuple[Task, int], capacity: int, data: st.DataObject
) -> None:
    world = World(planned(*given_task), data, capacity)
    world.run()
    assert world.ended in (ExecutionState.SUCCEEDED, ExecutionState.FAILED)
    assert all(state in {S.SUCCEEDED, S.SKIPPED, *BAD} for state in world.cells.values())
    place = {cell: number for number, cell in enumerate(world.order)}
    assert len(place) == len(world.order), "started twice"
    for number, stage in enumerate(world.plan.stages):
        begun = [place[step, lane] for step in stage.chain for lane in stage.lanes if (step, lane) in place]
        before = [
            place[step, lane]
            for other in world.plan.stages[:number]
            for step in other.chain
            for lane in other.lanes
            if (step, lane) in place
        ]
        assert not begun or not before or max(before) < min(begun), "a stage began before the one before it was over"
        for lane in stage.lanes:
            chain = [place[step, lane] for step in stage.chain if (step, lane) in place]
            assert chain == sorted(chain), "a host's steps out of order"


@settings(max_examples=300, deadline=None)
@given(_ROLLOUT, st.integers(2, 9), st.integers(1, 3), st.integers(1, 12), st.data())
def test_a_stopped_rollout_starts_no_host_but_those_in_flight(
    rollout: Rollout, hosts: int, length: int, capacity: int, data: st.DataObject
) -> None:
    inner = tuple(Step(name=f"s{n}", run="true") for n in range(length))
    world = World(
        planned(Task(name="t", on="all", steps=(Step(name="b", steps=inner, rollout=rollout),)), hosts), data, capacity
    )
    world.run()
    failed, carried = Counter[int](), 0
    for number, stage in enumerate(world.plan.stages):
        assert stage.batch is not None
        if stage.batch.gate:
            continue
        failed[number] = host_failures(world, stage)
        allowed = min(
            hosts if stage.batch.most_failed is None else stage.batch.most_failed,
            hosts if stage.batch.most_in_all is None else stage.batch.most_in_all - carried,
        )
        carried += failed[number]
        if failed[number] > allowed:
            assert world.ended is ExecutionState.FAILED
            later = world.plan.stages[number + 1 :]
            assert all(world.cells[step, lane] is S.SKIPPED for s in later for step in s.chain for lane in s.lanes)
            if world.halted_at is not None:
                begun = {lane for step, lane in world.order[: world.halted_at]}
                assert all(lane in begun for step, lane in world.order[world.halted_at :])
                # No more fail than are allowed and one, and those that were in flight beside it.
                assert failed[number] <= allowed + 1 + capacity * length
            break
    else:
        if world.ended is ExecutionState.SUCCEEDED:
            assert world.warnings == sum(failed.values())


@settings(max_examples=150, deadline=None)
@given(tasks(), st.integers(1, 12), st.data())
def test_looking_at_the_whole_agrees_with_counting(
    given_task: tuple[Task, int], capacity: int, data: st.DataObject
) -> None:
    world = World(planned(*given_task), data, capacity)
    for _ in range(data.draw(st.integers(0, 60))):
        choices = world._choices()
        if not choices:
            break
        kind, where = data.draw(st.sampled_from(choices))
        if kind == "take":
            world.cells[where] = S.RUNNING
        elif kind == "open":
            world._open(where[0])
        else:
            world._report(where)
    found = catch_up(world.plan, world.cells)
    assert found.execution == world.ended
    if world.ended is None:
        assert found.starts == []
        assert all(world.cells[place] is S.BLOCKED for place in found.skips)
        waiting = [number for number, progress in world.counters.items() if progress.waits]
        assert waiting == ([] if found.waits is None else [found.waits])


def test_a_plan_survives_being_stored() -> None:
    rollout = Rollout(
        batches="1 100%", pause="manual", gate=Gate(run="true", on="any 1 of all"), max_failures={"batch": "50%"}
    )
    plan = planned(Task(name="t", on="all", steps=(Step(name="s", run="true", rollout=rollout),)), 4)
    assert Plan.from_json(plan.to_json()) == plan
    assert [(stage.lanes, stage.batch and stage.batch.gate) for stage in plan.stages] == [
        (range(1), False),
        (range(1), True),
        (range(1, 4), False),
        (range(1), True),
    ]
    assert [plan.stage_of(0, lane) for lane in range(4)] == [0, 2, 2, 2]
    assert plan.hosts_of(0) == ("h0", "h1", "h2", "h3")
    assert [stage.batch.pause for stage in plan.stages if stage.batch] == [None, "manual", None, None]
