"""Where an execution stands when its steps may end in any order: the same as if they had ended in theirs."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from plumber_core.model.plan import Plan, PlanStep, Stage
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.task import Gate, Rollout, Step, Task
from plumber_core.planning.catch_up import catch_up
from support.planned_tasks import planned

S = StepState
PLAN = Plan(
    "t",
    None,
    (
        PlanStep("0", "shell"),
        PlanStep("1", "shell", on_failure="continue"),
        PlanStep("2", "shell"),
        PlanStep("3", "shell"),
    ),
    (Stage((0,), ("a", "b")), Stage((1, 2), ("a", "b")), Stage((3,), ("a",))),
)
PLACES = [(step, lane) for stage in PLAN.stages for step in stage.chain for lane in range(len(stage.hosts))]


def cells(**given: S) -> dict[tuple[int, int], S]:
    return dict.fromkeys(PLACES, S.BLOCKED) | {(int(name[1]), int(name[2])): state for name, state in given.items()}


def test_a_stage_begins_when_all_before_it_have_ended() -> None:
    found = catch_up(PLAN, cells(s00=S.SUCCEEDED, s01=S.RUNNING))
    assert (found.starts, found.counters, found.execution) == ([], [(1, 0), (2, 0), (1, 0)], None)
    found = catch_up(PLAN, cells(s00=S.SUCCEEDED, s01=S.SUCCEEDED))
    assert found.starts == [(1, 0), (1, 1)]


def test_what_runs_ahead_of_its_turn_is_not_started_again_and_starts_nothing_early() -> None:
    found = catch_up(PLAN, cells(s00=S.RUNNING, s01=S.SUCCEEDED, s10=S.SUCCEEDED, s20=S.SUCCEEDED, s11=S.RUNNING))
    assert (found.starts, found.counters[1]) == ([], (1, 0))
    found = catch_up(PLAN, cells(s00=S.SUCCEEDED, s01=S.SUCCEEDED, s10=S.RUNNING, s20=S.RUNNING))
    assert found.starts == [(1, 1)]


def test_a_lane_goes_on_after_a_tolerated_failure_and_ends_with_another() -> None:
    begun = {"s00": S.SUCCEEDED, "s01": S.SUCCEEDED}
    assert catch_up(PLAN, cells(**begun, s10=S.FAILED, s11=S.RUNNING)).starts == [(2, 0)]
    found = catch_up(PLAN, cells(s00=S.SUCCEEDED, s01=S.LOST))
    assert (found.skips, found.execution) == ([(1, 0), (2, 0), (1, 1), (2, 1), (3, 0)], ExecutionState.FAILED)
    waits = catch_up(PLAN, cells(s00=S.RUNNING, s01=S.LOST))
    assert (waits.starts, waits.execution, waits.counters[0]) == ([], None, (1, 1))


def test_a_cancelled_execution_starts_nothing_and_ends_as_it_was_ended() -> None:
    some = dict.fromkeys(PLACES, S.CANCELLED) | {(0, 0): S.SUCCEEDED}
    assert catch_up(PLAN, some, cancelled=True).execution is ExecutionState.CANCELLED
    assert catch_up(PLAN, some, cancelled=True, timed_out=True).execution is ExecutionState.FAILED
    assert catch_up(PLAN, cells(s00=S.SUCCEEDED, s01=S.SUCCEEDED), cancelled=True).starts == []


@given(st.permutations(PLACES))
def test_any_order_of_ends_leads_to_the_same_end(order: list[tuple[int, int]]) -> None:
    state = cells()
    for place in order:
        before = catch_up(PLAN, state)
        assert before.execution is None
        assert all(state[start] is S.BLOCKED for start in before.starts)
        state[place] = S.SUCCEEDED
    assert catch_up(PLAN, state).execution is ExecutionState.SUCCEEDED


def test_a_pause_is_waited_for_although_nobody_is_left_for_its_gate() -> None:
    rollout = Rollout(batches="1 100%", max_failures=1, pause="manual", gate=Gate(run="true"))
    plan = planned(Task(name="t", on="all", steps=(Step(name="s", run="true", rollout=rollout),)), 2)
    stood = {(0, 0): S.FAILED, (1, 0): S.SKIPPED, (0, 1): S.BLOCKED, (1, 1): S.BLOCKED}
    found = catch_up(plan, stood)
    assert (found.waits, found.starts, found.execution) == (1, [], None)
    found = catch_up(plan, stood | {(0, 1): S.READY})
    assert (found.waits, found.execution) == (None, None), "somebody has said go"
