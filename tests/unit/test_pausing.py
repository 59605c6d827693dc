"""Pauses at any moment, as the pure planner carries them out: for random tasks, failures, conditions and orders."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from hypothesis import given, settings
from hypothesis import strategies as st
from test_graphs import planned as planned_graph
from test_graphs import tasks as graphs

from plumber_core.model.plan import Plan, PlanStep, Stage
from plumber_core.model.rounds import Cell
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.task import Task
from plumber_core.planning.cancelling import of_hosts, of_step
from plumber_core.planning.catch_up import CaughtUp, catch_up
from plumber_core.planning.catch_up_parts import catch_up_parts
from plumber_core.planning.limits import most_failed
from plumber_core.planning.pausing import as_seen, passed_over, pauses, warnings_of_batches
from support.plan_world import BAD, World
from support.planned_tasks import planned, tasks

S, X = StepState, ExecutionState
Place = tuple[int, int]


@dataclass
class PausedWorld(World):
    """Somebody pauses, at any moment, and says go on some time later; whatever ends meanwhile leads to nothing."""

    pauses: int = 3
    paused: bool = False

    def choices(self) -> list[tuple[str, Place]]:
        if not self.paused:
            asks = [("pause", (0, 0))] if self.pauses and self.ended is None else []
            return super().choices() + asks
        running = [place for place, state in self.cells.items() if state is S.RUNNING]
        return [("report", place) for place in running] + [("continue", (0, 0))]

    def do(self, kind: str, place: Place) -> None:
        if kind == "pause":
            self.pauses, self.paused = self.pauses - 1, True
        elif kind == "continue":
            self.paused = False
            self._go_on()
        elif kind == "report" and self.paused:
            self.cells[place] = self.data.draw(st.sampled_from([S.SUCCEEDED] * 3 + BAD))
        else:
            super().do(kind, place)

    def _stand(self) -> CaughtUp:
        """Do what ``engine.going_on.stand`` does."""
        while True:
            seen = {place: S.SUCCEEDED if place in self.passed else state for place, state in self.cells.items()}
            if self.plan.parts:
                found = catch_up_parts(self.plan, seen, self.standing(), forgotten=False)
            else:
                found = catch_up(self.plan, seen)
            passed = [one for start in sorted(found.starts) for one in self._ask((start,))[1]]
            if not passed:
                return found
            self._pass(passed)

    def _go_on(self) -> None:
        found = self._stand()
        for place in found.skips:
            assert self.cells[place] in (S.BLOCKED, S.READY)
            self.cells[place] = S.SKIPPED
        for number, (remaining, failed) in enumerate(found.counters):
            before = self.counters[number]
            waits = before.waits or ("manual" if found.waits == number else None)
            values = {"remaining": remaining, "failed": failed, "carried": found.carried[number], "waits": waits}
            self.counters[number] = replace(before, **values)
        for first, outcome in found.outcomes:
            self._end_part(first, outcome)
        self._start(tuple(sorted(found.starts)))
        if self.plan.parts:
            self.turn()
        else:
            self.ended = found.execution


def check(world: PausedWorld) -> None:
    world.run()
    assert world.ended in (X.SUCCEEDED, X.FAILED)
    assert all(state in {S.SUCCEEDED, S.SKIPPED, *BAD} for state in world.cells.values())
    assert max(Counter(world.order).values(), default=0) <= 1, "started twice"
    place = {cell: number for number, cell in enumerate(world.order)}
    for stage in world.plan.stages:
        for lane in stage.lanes:
            began = [place[step, lane] for step in stage.chain if (step, lane) in place]
            assert began == sorted(began)
    if world.ended is X.SUCCEEDED:
        for stage in world.plan.stages:
            firsts = [lane for lane in stage.lanes if world.cells[stage.chain[0], lane] is S.SKIPPED]
            assert all((stage.chain[0], lane) in world.passed or stage.batch for lane in firsts)


@settings(max_examples=300, deadline=None)
@given(tasks(), st.integers(1, 6), st.data())
def test_a_run_that_was_paused_ends_as_any_other_and_keeps_its_limits(
    given_task: tuple[Task, int], capacity: int, data: st.DataObject
) -> None:
    world = PausedWorld(planned(*given_task), data, capacity)
    check(world)
    place = {cell: number for number, cell in enumerate(world.order)}
    for number, stage in enumerate(world.plan.stages[1:], 1):
        before = world.plan.stages[number - 1]
        earlier = [place[step, lane] for step in before.chain for lane in before.lanes if (step, lane) in place]
        later = [place[step, lane] for step in stage.chain for lane in stage.lanes if (step, lane) in place]
        assert not earlier or not later or max(earlier) < min(later)
    for number, counted in world.counters.items():
        if counted.failed > most_failed(world.plan.stages[number], counted.carried):
            behind = world.plan.stages[number + 1 :]
            assert world.ended is X.FAILED
            assert not any((step, lane) in place for stage in behind for step in stage.chain for lane in stage.lanes)


@settings(max_examples=300, deadline=None)
@given(graphs(), st.integers(1, 3), st.integers(1, 6), st.data())
def test_branches_conditions_and_what_always_runs_go_on_after_a_pause(
    task: Task, hosts: int, capacity: int, data: st.DataObject
) -> None:
    plan = planned_graph(task, hosts)
    if not plan.stages:
        return
    places = [(step, lane) for stage in plan.stages for step in stage.chain for lane in stage.lanes]
    never = frozenset(data.draw(st.lists(st.sampled_from(places), max_size=len(places), unique=True)))
    world = PausedWorld(plan, data, capacity, never=never)
    check(world)
    place = {cell: number for number, cell in enumerate(world.order)}
    for part in plan.parts:
        for need in part.needs:
            before = [place[one] for one in place if plan.stage_of(*one) in plan.parts[need].stages]
            after = [place[one] for one in place if plan.stage_of(*one) in part.stages]
            assert not before or not after or max(before) < min(after)


PLAN = Plan(
    "t",
    None,
    (PlanStep("ask", "shell", on_failure="pause"), PlanStep("stop", "shell")),
    (Stage((0, 1), ("a", "b")),),
)


def test_only_what_asks_for_it_pauses_and_is_passed_over() -> None:
    assert pauses(PLAN, 0, S.FAILED, cancelled=False) and pauses(PLAN, 0, S.LOST, cancelled=False)
    assert not pauses(PLAN, 0, S.CANCELLED, cancelled=False) and not pauses(PLAN, 0, S.FAILED, cancelled=True)
    assert not pauses(PLAN, 1, S.FAILED, cancelled=False)
    some = {(0, 0): Cell(S.FAILED, "a"), (1, 0): Cell(S.BLOCKED, "a"), (0, 1): Cell(S.SUCCEEDED, "b")}
    some[1, 1] = Cell(S.FAILED, "b")
    assert passed_over(PLAN, some, {0}) == ((0, 0),)
    assert passed_over(PLAN, some, set()) == ()
    some[0, 0] = Cell(S.SKIPPED, "a", by_hand="skip", round=1)
    assert passed_over(PLAN, some, {0}) == ()
    assert as_seen(some, 0)[0, 0] is S.SUCCEEDED


def test_a_step_that_runs_is_seen_to_run_although_its_host_is_taken_out() -> None:
    assert as_seen({(0, 0): Cell(S.CANCELLING, "a", by_hand="cancel")}, 0) == {(0, 0): S.CANCELLING}
    assert as_seen({(0, 0): Cell(S.FAILED, "a", by_hand="cancel")}, 0) == {(0, 0): S.SUCCEEDED}


def test_a_host_is_cancelled_with_all_that_it_has_left_and_a_step_where_its_turn_has_come() -> None:
    some = {(0, 0): Cell(S.RUNNING, "a"), (1, 0): Cell(S.BLOCKED, "a")}
    some |= {(0, 1): Cell(S.RETRY_WAIT, "b"), (1, 1): Cell(S.BLOCKED, "b")}
    found = of_hosts(some, {"a"})
    assert (found.waiting, found.live) == (((1, 0),), ((0, 0),))
    assert of_step(some, 0, None).all == ((0, 1), (0, 0))
    assert of_step(some, 0, {"b"}).all == ((0, 1),)
    assert of_step(some, 1, None).all == ()


def test_hosts_that_may_fail_in_a_batch_are_warnings_once_it_has_ended() -> None:
    found = CaughtUp(counters=[(0, 1)], carried=[0])
    assert warnings_of_batches(PLAN, [2], found) == 0, "no rollout"
