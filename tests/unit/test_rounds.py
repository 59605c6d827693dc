"""What a resume lays anew: for random plans, failures, orders of reports and wishes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumber_core.errors import Conflict
from plumber_core.model.plan import Plan, PlanStep, Stage
from plumber_core.model.records import Progress
from plumber_core.model.rounds import Cell, Deed, Laid, Place, Wish
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.task import Gate, Rollout, Step, Task
from plumber_core.planning.absence import left_for
from plumber_core.planning.advance import Advance
from plumber_core.planning.by_hand import handle
from plumber_core.planning.catch_up import catch_up
from plumber_core.planning.rounds import is_well, lay, left_out, standing, touched, unknown, warnings
from support.plan_world import BAD, S, World
from support.planned_tasks import planned, tasks

DEEDS: list[Deed] = ["retry", "skip", "done"]
PLAN = Plan(
    "t",
    None,
    (PlanStep("build", "shell"), PlanStep("stop", "shell"), PlanStep("lint", "shell", on_failure="continue")),
    (Stage((0,), ("builder",)), Stage((1, 2), ("a", "b"))),
)


def cells(**given_states: S) -> dict[Place, Cell]:
    """Return cells, ``s10=S.FAILED`` for step 1 in lane 0; what is not given was skipped."""
    found = {}
    for stage in PLAN.stages:
        for step in stage.chain:
            for lane in stage.lanes:
                state = given_states.get(f"s{step}{lane}", S.SKIPPED)
                found[step, lane] = Cell(state, stage.host(lane), begun=state not in (S.SKIPPED, S.CANCELLED))
    return found


def test_what_is_left_runs_anew_and_what_has_ended_well_does_not() -> None:
    some = cells(s00=S.SUCCEEDED, s10=S.SUCCEEDED, s20=S.FAILED, s11=S.LOST)
    laid = lay(PLAN, some, Wish())
    assert laid == Laid(frozenset({(1, 1), (2, 1)}))
    assert (warnings(PLAN, some, laid), left_out(PLAN, some, laid)) == (1, set())
    assert unknown(some, laid) == {"b": 1}


def test_only_failed_hosts_go_on_when_that_is_wanted_and_the_others_are_left_out() -> None:
    some = cells(s00=S.SUCCEEDED, s10=S.TIMED_OUT)
    laid = lay(PLAN, some, Wish("failed"))
    assert laid.anew == {(1, 0), (2, 0)}
    assert left_out(PLAN, some, laid) == {"b"}


def test_an_interrupted_step_has_failed_and_one_that_was_never_begun_has_not() -> None:
    some = cells(s00=S.SUCCEEDED, s10=S.CANCELLED, s11=S.CANCELLED)
    some[1, 1] = Cell(S.CANCELLED, "b", begun=True)
    assert lay(PLAN, some, Wish("failed")).anew == {(1, 1), (2, 1)}


def test_chosen_hosts_run_everything_again_from_the_chosen_step() -> None:
    some = cells(s00=S.SUCCEEDED, s10=S.SUCCEEDED, s20=S.SUCCEEDED, s11=S.FAILED)
    assert lay(PLAN, some, Wish(hosts=frozenset("a"), step=1)).anew == {(1, 0), (2, 0)}
    with pytest.raises(Conflict, match="build runs on none of these hosts"):
        lay(PLAN, some, Wish(hosts=frozenset("a"), step=0))
    with pytest.raises(Conflict, match="nothing of what was chosen"):
        lay(PLAN, some, Wish(hosts=frozenset("a")))


def test_a_chosen_step_that_none_of_the_hosts_has_runs_again_where_it_ran() -> None:
    some = cells(s00=S.SUCCEEDED, s10=S.FAILED, s11=S.SUCCEEDED, s21=S.SUCCEEDED)
    assert lay(PLAN, some, Wish(step=0)).anew == {(0, 0), (1, 0), (2, 0)}


def test_what_lies_before_the_chosen_step_is_passed() -> None:
    some = cells(s00=S.SUCCEEDED, s10=S.FAILED, s11=S.SUCCEEDED, s21=S.SUCCEEDED)
    laid = lay(PLAN, some, Wish(step=2))
    assert laid == Laid(frozenset({(2, 0)}), frozenset({(1, 0)}))
    assert touched(some, laid).passed == {"a": (1,)}


def test_a_gate_is_asked_although_its_host_has_just_failed_in_an_earlier_rollout_that_bears_it() -> None:
    bearing = Rollout(batches="1", max_failures="100%")
    gated = Rollout(batches="1", gate=Gate(run="true"))
    steps = (Step(name="first", run="true", rollout=bearing), Step(name="second", run="true", rollout=gated))
    plan = planned(Task(name="t", on="all", steps=steps), 2)
    own, _ = [number for number, stage in enumerate(plan.stages) if stage.batch and stage.batch.gate]
    gate = plan.stages[own].chain[0]
    failed = Advance(0, lane_ends=True, failed=True, unsure=own)
    assert left_for(plan, failed, 0, {0: gate}).lanes == {0: gate}
    assert left_for(plan, replace(failed, stage=own - 1), 0, {0: gate}).lanes == {}


@dataclass
class Renewed(World):
    """Goes on in rounds: the newest rows are ``cells``, what was there before is history."""

    history: list[dict[Place, StepState]] = field(default_factory=list)
    laid: Laid = field(default_factory=Laid)
    seen: dict[Place, StepState] = field(default_factory=dict)
    resumes: bool = False

    def cell(self, place: Place) -> Cell:
        step, lane = place
        host = self.plan.stages[self.plan.stage_of(step, lane)].host(lane)
        by_hand = "skip" if place in self.passed else None
        return Cell(self.cells[place], host, begun=place in self.order, by_hand=by_hand)

    def whole(self) -> dict[Place, Cell]:
        return {place: self.cell(place) for place in self.cells}

    def cancel(self) -> None:
        for place, state in self.cells.items():
            if state in (S.BLOCKED, S.READY, S.RUNNING):
                self.cells[place] = S.CANCELLED
        self.ended = ExecutionState.CANCELLED

    def resume(self, wish: Wish) -> None:
        self.history.append(dict(self.cells))
        whole = self.whole()
        self.laid = lay(self.plan, whole, wish)
        chosen = wish.step
        for place in self.laid.anew:
            assert chosen is not None or not is_well(self.plan, place[0], whole[place]), "ended well, and not chosen"
            assert wish.hosts is None or whole[place].host in wish.hosts, "on a host that was not chosen"
        assert not self.laid.anew & self.laid.passed
        self.passed |= self.laid.passed
        self.passed -= self.laid.anew
        self.seen = standing(whole, self.laid)
        found = catch_up(self.plan, self.seen)
        for place in self.laid.anew:
            self.cells[place] = S.BLOCKED
        for place in self.laid.passed:
            self.cells[place] = S.SKIPPED
        self.renewed, self.ended, self.order, self.halted_at = True, None, [], None
        self.resumes = True
        for number, (remaining, failed) in enumerate(found.counters):
            waits = "manual" if found.waits == number else None
            self.counters[number] = Progress(number, remaining, failed, 0, found.carried[number], waits)
        assert found.skips == [] and found.execution is None
        self._start(tuple(sorted(found.starts)))

    def take_in_hand(self, place: Place, deed: Deed) -> frozenset[Place]:
        handled = handle(self.plan, self.whole(), place, deed, resumed=0, running=False)
        for one, by_hand in handled.passed.items():
            self.cells[one] = S.SKIPPED if by_hand == "skip" else S.SUCCEEDED
            self.passed.add(one)
        if not handled.goes_on:
            return frozenset()
        for one in handled.anew:
            self.cells[one] = S.BLOCKED
            self.passed.discard(one)
        self.laid, self.renewed, self.ended, self.order = Laid(handled.anew), True, handled.found.execution, []
        for number, (remaining, failed) in enumerate(handled.found.counters):
            waits = "manual" if handled.found.waits == number else None
            carried = handled.found.carried[number]
            self.counters[number] = Progress(number, remaining, failed, 0, carried, waits)
        self._start(tuple(sorted(handled.found.starts)))
        return handled.anew

    def _later(self, place: Place) -> Mapping[int, StepState] | None:
        if not self.renewed:
            return None
        step, lane = place
        chain = self.plan.stages[self.plan.stage_of(step, lane)].chain
        behind = chain[chain.index(step) + 1 :]
        return {one: self._as_seen((one, lane)) for one in behind}

    def _as_seen(self, place: Place) -> StepState:
        by_hand = place in self.passed or (place not in self.laid.anew and self.resumes)
        return S.SUCCEEDED if by_hand else self.cells[place]


@st.composite
def wishes(draw: st.DrawFn, plan: Plan) -> Wish:
    hosts = sorted({host for stage in plan.stages for host in stage.hosts})
    chosen = draw(st.none() | st.sets(st.sampled_from(hosts), min_size=1).map(frozenset))
    step = draw(st.none() | st.integers(0, len(plan.steps) - 1))
    return Wish(draw(st.sampled_from(["rest", "rest", "failed"])), chosen, step)


@settings(max_examples=400, deadline=None)
@given(tasks(), st.integers(1, 12), st.data())
def test_every_execution_ends_however_often_and_with_whatever_it_is_resumed(
    given_task: tuple[Task, int], capacity: int, data: st.DataObject
) -> None:
    world = Renewed(planned(*given_task), data, capacity)
    if data.draw(st.integers(0, 3)) == 0:
        world.cancel()
    world.run()
    for _ in range(data.draw(st.integers(1, 3))):
        if world.ended is ExecutionState.SUCCEEDED:
            return
        try:
            world.resume(data.draw(wishes(world.plan)))
        except Conflict:
            continue
        before = dict(world.cells)
        world.run()
        assert world.ended in (ExecutionState.SUCCEEDED, ExecutionState.FAILED)
        assert len(world.order) == len(set(world.order)), "started twice in one round"
        assert set(world.order) <= world.laid.anew, "started, and not laid"
        for place, state in world.cells.items():
            assert state in {S.SUCCEEDED, S.SKIPPED, S.CANCELLED, *BAD}
            assert place in world.laid.anew or state is before[place], "changed, and not laid"
        if world.ended is ExecutionState.SUCCEEDED:
            whole = world.whole()
            begun = {place for place in world.laid.anew if world.cells[place] is not S.SKIPPED}
            allowed = [stage.batch for stage in world.plan.stages if stage.batch is not None]
            assert allowed or all(is_well(world.plan, place[0], whole[place]) for place in begun)


@settings(max_examples=200, deadline=None)
@given(tasks(), st.data())
def test_when_everything_goes_well_afterwards_nothing_is_left(
    given_task: tuple[Task, int], data: st.DataObject
) -> None:
    world = Renewed(planned(*given_task), data, 4)
    world.run()
    if world.ended is not ExecutionState.FAILED:
        return
    whole = world.whole()
    laid = lay(world.plan, whole, Wish())
    assert left_out(world.plan, whole, laid) == set()
    assert {place for place, cell in whole.items() if not is_well(world.plan, place[0], cell)} == laid.anew
