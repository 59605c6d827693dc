"""What follows from the end of a step: tables of plan + counters + event -> changes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumber_core.model.plan import Plan, PlanStep, Stage
from plumber_core.model.records import Progress
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.planning.advance import Advance, Ended, advance, cannot_start

OK, BAD = StepState.SUCCEEDED, StepState.FAILED


def plan_of(*stages: tuple[tuple[int, ...], int], lenient: frozenset[int] = frozenset()) -> Plan:
    """Return a plan of (chain, number of hosts) stages."""
    count = 1 + max(step for chain, _ in stages for step in chain)
    steps = tuple(PlanStep(f"s{n}", "shell", on_failure="continue" if n in lenient else "stop") for n in range(count))
    return Plan("t", 1, steps, tuple(Stage(chain, tuple(f"h{n}" for n in range(hosts))) for chain, hosts in stages))


def test_the_last_host_of_a_step_starts_the_next_step_on_all_hosts() -> None:
    plan = plan_of(((0,), 2), ((1,), 3))
    move = advance(plan, Progress(0, 1, 0, 0), Ended(0, 1, OK))
    assert move.starts == ((1, 0), (1, 1), (1, 2))
    assert move.lane_ends and move.boundary and move.execution is None


def test_a_host_that_is_not_the_last_starts_nothing() -> None:
    move = advance(plan_of(((0,), 2), ((1,), 1)), Progress(0, 2, 0, 0), Ended(0, 0, OK))
    assert move == Advance(0, lane_ends=True)


def test_the_last_stage_ends_the_execution() -> None:
    move = advance(plan_of(((0,), 1)), Progress(0, 1, 0, 0), Ended(0, 0, OK))
    assert move.execution is ExecutionState.SUCCEEDED


@pytest.mark.parametrize("state", [BAD, StepState.TIMED_OUT, StepState.LOST, StepState.CANCELLED])
def test_any_other_end_stops_the_execution_and_skips_the_rest(state: StepState) -> None:
    move = advance(plan_of(((0,), 1), ((1,), 1)), Progress(0, 1, 0, 0), Ended(0, 0, state))
    assert move.execution is ExecutionState.FAILED
    assert move.skip_after_stage and not move.starts


def test_an_earlier_failure_on_another_host_counts_at_the_boundary() -> None:
    move = advance(plan_of(((0,), 2), ((1,), 1)), Progress(0, 1, 1, 0), Ended(0, 1, OK))
    assert move.execution is ExecutionState.FAILED


def test_on_failure_continue_goes_on_with_a_warning() -> None:
    plan = plan_of(((0,), 1), ((1,), 1), lenient=frozenset({0}))
    move = advance(plan, Progress(0, 1, 0, 0), Ended(0, 0, BAD))
    assert move.starts == ((1, 0),)
    assert move.warnings == 1 and not move.failed


def test_a_chain_goes_on_in_its_lane_without_touching_the_counter() -> None:
    move = advance(plan_of(((0, 1), 5)), Progress(0, 5, 0, 0), Ended(0, 3, OK))
    assert move.starts == ((1, 3),)
    assert not move.lane_ends


def test_a_failure_inside_a_chain_skips_the_rest_of_its_lane() -> None:
    move = advance(plan_of(((0, 1), 5)), Progress(0, 5, 0, 0), Ended(0, 3, BAD))
    assert move.skip_lane and move.lane_ends and move.failed and not move.boundary


def test_a_cancelled_execution_starts_nothing_and_ends_with_its_last_lane() -> None:
    plan = plan_of(((0,), 2), ((1,), 1))
    first = advance(plan, Progress(0, 2, 0, 1), Ended(0, 0, OK), cancelled=True)
    last = advance(plan, Progress(0, 1, 0, 1), Ended(0, 1, StepState.CANCELLED), cancelled=True)
    assert first.execution is None and not first.starts
    assert last.execution is ExecutionState.CANCELLED and not last.starts


def test_a_step_that_cannot_be_rendered_fails_its_lane_or_at_a_boundary_the_execution() -> None:
    plan = plan_of(((0, 1), 2), ((2,), 1))
    inside = cannot_start(plan, Progress(0, 2, 0, 0), advance(plan, Progress(0, 2, 0, 0), Ended(0, 0, OK)))
    assert inside.lane_ends and inside.failed and inside.skip_lane and inside.execution is None
    edge = cannot_start(plan, Progress(0, 1, 0, 0), advance(plan, Progress(0, 1, 0, 0), Ended(1, 0, OK)))
    assert edge.execution is ExecutionState.FAILED and edge.skip_after_stage


@given(
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=5),
    st.data(),
)
def test_every_plan_ends_and_every_step_starts_at_most_once_in_order(
    shape: list[tuple[int, int]], data: st.DataObject
) -> None:
    stages, next_step = [], 0
    for length, hosts in shape:
        stages.append((tuple(range(next_step, next_step + length)), hosts))
        next_step += length
    plan = plan_of(*stages)
    counters = {n: Progress(n, len(stage.hosts), 0, 0) for n, stage in enumerate(plan.stages)}
    running = [(plan.stages[0].chain[0], lane) for lane in range(len(plan.stages[0].hosts))]
    started, ended = set(running), None
    while running:
        step, lane = running.pop(data.draw(st.integers(0, len(running) - 1)))
        state = data.draw(st.sampled_from([OK, OK, OK, BAD]))
        progress = counters[plan.stage_of(step)]
        assert ended is None
        move = advance(plan, progress, Ended(step, lane, state))
        if move.lane_ends:
            counters[move.stage] = Progress(move.stage, progress.remaining - 1, progress.failed + move.failed, 0)
        assert not started & set(move.starts)
        started |= set(move.starts)
        running += move.starts
        ended = move.execution
    assert ended in (ExecutionState.SUCCEEDED, ExecutionState.FAILED)
    if ended is ExecutionState.SUCCEEDED:
        assert len(started) == sum(length * hosts for length, hosts in shape)
