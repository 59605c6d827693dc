"""Rollouts as the pure planner carries them out: for random plans, failures and orders of reports."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from plumber_core.model.plan import Plan, Stage
from plumber_core.model.states import ExecutionState
from plumber_core.model.task import Gate, Rollout, Step, Task
from plumber_core.planning.catch_up import catch_up
from support.plan_world import BAD, S, World
from support.planned_tasks import ROLLOUTS, planned, tasks


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
@given(ROLLOUTS, st.integers(2, 9), st.integers(1, 3), st.integers(1, 12), st.data())
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
        choices = world.choices()
        if not choices:
            break
        world.do(*data.draw(st.sampled_from(choices)))
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
