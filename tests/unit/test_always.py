"""Steps that always run, as the pure planner carries them out: for random tasks, failures, cancels and orders."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from plumber_core.model.plan import Plan
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.task import Gate, Rollout, Step, Task
from plumber_core.planning.catch_up_parts import catch_up_parts
from plumber_core.planning.graph import follow, patience_with_always
from support.plan_world import BAD, World
from support.planned_tasks import planned

S, X = StepState, ExecutionState
_FAILURE = st.sampled_from(["stop", "stop", "continue"])


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    steps = []
    for number in range(draw(st.integers(1, 3))):
        if draw(st.booleans()):
            inner = tuple(
                Step(name=f"s{number}.{n}", run="true", on_failure=draw(_FAILURE))
                for n in range(draw(st.integers(1, 2)))
            )
            gate = draw(st.sampled_from([None, Gate(run="true")]))
            rollout = Rollout(batches=draw(st.sampled_from(["1 100%", "100%"])), pause="manual", gate=gate)
            steps.append(Step(name=f"s{number}", steps=inner, rollout=draw(st.sampled_from([None, rollout]))))
        else:
            on = draw(st.sampled_from([None, "h0", "nobody"]))
            steps.append(Step(name=f"s{number}", run="true", on=on, allow_empty=True, on_failure=draw(_FAILURE)))
    always = tuple(
        Step(
            name=f"a{n}",
            run="true",
            on=draw(st.sampled_from([None, "h1", "nobody"])),
            allow_empty=True,
            on_failure=draw(_FAILURE),
        )
        for n in range(draw(st.integers(1, 3)))
    )
    return Task(name="t", on="all", steps=tuple(steps), always=always)


@settings(max_examples=400, deadline=None)
@given(tasks(), st.integers(2, 5), st.integers(1, 6), st.integers(0, 3), st.data())
def test_what_always_runs_does_so_once_behind_everything_else_and_every_execution_ends(
    task: Task, hosts: int, capacity: int, cancels: int, data: st.DataObject
) -> None:
    plan = planned(task, hosts)
    if not plan.stages:
        return
    world = World(plan, data, capacity, cancels=cancels)
    world.run()
    assert world.ended in (X.SUCCEEDED, X.FAILED, X.CANCELLED)
    assert all(state in {S.SUCCEEDED, S.SKIPPED, S.CANCELLED, *BAD} for state in world.cells.values())
    assert max(Counter(world.order).values(), default=0) <= 1, "started twice"
    always = [place for place in world.order if plan.stage_of(*place) >= plan.always_from]
    assert world.order[len(world.order) - len(always) :] == always, "it ran before something else had ended"
    steps = [step for step, _ in always]
    assert steps == sorted(steps), "out of order"
    if not world.always_cancelled:
        may_not_begin = {plan.stage_of(*place) for place, state in world.cells.items() if state is S.SKIPPED}
        wanted = [s for s in range(plan.always_from, len(plan.stages)) if s not in may_not_begin]
        assert {plan.stage_of(*place) for place in always} == set(wanted)
        bad = any(world.cells[place] in BAD and plan.steps[place[0]].on_failure == "stop" for place in always) or any(
            s >= plan.always_from for s in may_not_begin
        )
        assert world.ended is (X.FAILED if bad else world.main)
    if world.cancelled and not world.always_cancelled and world.ended is X.SUCCEEDED:
        # It came when nothing but what always runs was left.
        assert world.main is X.SUCCEEDED


@settings(max_examples=200, deadline=None)
@given(tasks(), st.integers(2, 5), st.integers(1, 6), st.data())
def test_looking_at_the_whole_agrees_with_counting(task: Task, hosts: int, capacity: int, data: st.DataObject) -> None:
    plan = planned(task, hosts)
    if not plan.stages:
        return
    world = World(plan, data, capacity, cancels=1)
    for _ in range(data.draw(st.integers(0, 40))):
        choices = world.choices()
        if not choices:
            break
        world.do(*data.draw(st.sampled_from(choices)))
    standing = world.standing()
    found = catch_up_parts(plan, world.cells, standing)
    assert found.starts == [] and found.outcomes == []
    assert all(world.cells[place] is S.BLOCKED for place in found.skips)
    assert follow(plan, standing).begins == []
    for index, part in enumerate(plan.parts):
        if index in standing.begun and index not in standing.outcomes:
            assert any(remaining for remaining, _ in found.counters[part.first : part.stop])


def test_a_task_without_them_has_no_parts_and_one_with_them_says_how_long_they_may_take() -> None:
    steps = (Step(name="a", run="true"), Step(name="b", run="true"))
    assert planned(Task(name="t", on="all", steps=steps), 2).parts == ()
    always = (Step(name="c", run="true"), Step(name="d", run="true", timeout=60, grace=5))
    plan = planned(Task(name="t", on="all", steps=steps, always=always), 2)
    assert [(part.first, part.stop, part.always) for part in plan.parts] == [
        (0, 2, False),
        (2, 3, True),
        (3, 4, True),
    ]
    assert Plan.from_json(plan.to_json()) == plan
    assert [step.timeout for step in plan.steps] == [None, None, 600.0, 60.0]
    assert patience_with_always(plan) == 600 + (600 + 10) + (60 + 5)
