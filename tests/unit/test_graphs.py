"""Graphs and conditions, as the pure planner carries them out: for random tasks, failures, cancels and orders."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from plumber_core.model.agent import AgentRef
from plumber_core.model.plan import Plan
from plumber_core.model.states import ExecutionState, StepState
from plumber_core.model.task import Gate, Rollout, Step, Task
from plumber_core.planning.expand import expand
from plumber_core.planning.parse import check_definition
from support.plan_world import BAD, World

S, X = StepState, ExecutionState
_FAILURE = st.sampled_from(["stop", "stop", "continue"])
_WHEN = st.sampled_from([None, None, "params.on", "agent.name == 'h0'"])
_ASKS = st.sampled_from([None, None, "params.on", "failed()", "always()", "success() && params.on"])


@st.composite
def tasks(draw: st.DrawFn, *, graph: bool | None = None) -> Task:
    is_graph = draw(st.booleans()) if graph is None else graph
    steps: list[Step] = []
    for number in range(draw(st.integers(1, 5))):
        name = f"s{number}"
        needs = None
        if is_graph:
            known = [step.name for step in steps]
            needs = tuple(draw(st.lists(st.sampled_from(known), max_size=3, unique=True))) if known else ()
        shared = {"name": name, "needs": needs, "when": draw(_ASKS)}
        if draw(st.integers(0, 2)) == 0:
            count = draw(st.integers(1, 3))
            inner = tuple(
                Step(name=f"{name}.{n}", run="true", on_failure=draw(_FAILURE), when=draw(_WHEN)) for n in range(count)
            )
            gate = draw(st.sampled_from([None, Gate(run="true"), Gate(run="true", on="h0")]))
            batches = draw(st.sampled_from(["1 100%", "100%", "1"]))
            rollout = Rollout(batches=batches, gate=gate, pause=draw(st.sampled_from([None, "manual"])), max_failures=1)
            steps.append(Step(steps=inner, rollout=draw(st.sampled_from([None, rollout])), **shared))
        else:
            on = draw(st.sampled_from([None, "h0", "nobody", "any 1 of all"]))
            if on == "any 1 of all" and shared["when"] == "agent.name == 'h0'":
                on = None
            steps.append(Step(run="true", on=on, allow_empty=True, on_failure=draw(_FAILURE), **shared))
    always = (Step(name="tidy", run="true"),) if draw(st.booleans()) else ()
    order = draw(st.permutations(steps)) if is_graph else steps
    params = {"on": {"type": "bool", "default": True}}
    return Task(name="t", on="all", steps=tuple(order), always=always, params=params)


def planned(task: Task, hosts: int) -> Plan:
    return expand(task, {"on": True}, [AgentRef(f"h{n}", f"h{n}") for n in range(hosts)])


def world_of(task: Task, hosts: int, data: st.DataObject, capacity: int, cancels: int = 0) -> World | None:
    plan = planned(task, hosts)
    if not plan.stages:
        return None
    cells = [(step, lane) for stage in plan.stages for step in stage.chain for lane in stage.lanes]
    never = frozenset(data.draw(st.lists(st.sampled_from(cells), max_size=len(cells), unique=True)))
    return World(plan, data, capacity, never=never, cancels=cancels if plan.parts else 0)


@settings(max_examples=500, deadline=None)
@given(tasks(), st.integers(1, 4), st.integers(1, 6), st.integers(0, 1), st.data())
def test_no_step_before_its_needs_and_every_execution_ends(
    task: Task, hosts: int, capacity: int, cancels: int, data: st.DataObject
) -> None:
    world = world_of(task, hosts, data, capacity, cancels)
    if world is None:
        return
    world.run()
    plan = world.plan
    assert world.ended in (X.SUCCEEDED, X.FAILED, X.CANCELLED)
    assert all(state in {S.SUCCEEDED, S.SKIPPED, S.CANCELLED, *BAD} for state in world.cells.values())
    assert max(Counter(world.order).values(), default=0) <= 1, "started twice"
    place = {cell: number for number, cell in enumerate(world.order)}
    began = {
        number: [place[cell] for cell in place if plan.stage_of(*cell) == number] for number in range(len(plan.stages))
    }
    for part in plan.parts:
        for first, second in zip(part.stages, list(part.stages)[1:], strict=False):
            assert not (began[first] and began[second]) or max(began[first]) < min(began[second])
        for need in part.needs:
            before = [at for stage in plan.parts[need].stages for at in began[stage]]
            after = [at for stage in part.stages for at in began[stage]]
            assert not before or not after or max(before) < min(after), "a step ran before one that it needs"
    assert world.passed <= {cell for cell, state in world.cells.items() if state is S.SKIPPED}
    assert all(cell not in place for cell in world.passed)


@settings(max_examples=300, deadline=None)
@given(tasks(graph=True), st.integers(1, 3), st.integers(1, 6), st.data())
def test_what_needs_a_failure_is_skipped_and_what_does_not_runs(
    task: Task, hosts: int, capacity: int, data: st.DataObject
) -> None:
    world = world_of(task, hosts, data, capacity)
    if world is None:
        return
    world.run()
    standing, plan = world.standing(), world.plan
    for index, part in enumerate(plan.parts):
        above = set(part.needs)
        while more := {need for one in above for need in plan.parts[one].needs} - above:
            above |= more
        troubled = any(standing.outcomes.get(one) == "failed" for one in above)
        if part.stages and not part.always:
            assert (standing.outcomes[index] == "skipped") == (troubled and not part.after_failure)
    outcomes = [standing.outcomes.get(index) for index, part in enumerate(plan.parts) if not part.always]
    assert world.main is (X.FAILED if "failed" in outcomes else X.SUCCEEDED)


def test_a_list_is_cut_only_where_a_step_asks_how_it_went() -> None:
    steps = tuple(
        Step(name=name, run="true", when=when)
        for name, when in [("a", None), ("b", "params.on"), ("c", "failed()"), ("d", None), ("e", None)]
    )
    plan = planned(Task(name="t", on="all", steps=steps, params={"on": {"type": "bool"}}), 1)
    assert [(part.first, part.stop, part.needs, part.after_failure) for part in plan.parts] == [
        (0, 2, (), False),
        (2, 3, (0,), True),
        (3, 5, (1,), False),
    ]
    assert Plan.from_json(plan.to_json()) == plan


def problems(*steps: dict[str, object], **task: object) -> list[tuple[str, str]]:
    definition = {"name": "t", "on": "all", "steps": [{"run": "true", **step} for step in steps], **task}
    return [(problem.code, problem.path) for problem in check_definition(definition)]


def test_needs_that_lead_nowhere_are_refused() -> None:
    block = {"name": "b", "steps": [{"name": "inner", "run": "true", "needs": ["a"]}]}
    assert problems({"name": "a", "needs": ["z"]}) == [("unknown_step", "steps[0].needs[0]")]
    assert problems({"name": "a", "needs": ["a"]}) == [("needs_circle", "steps[0].needs")]
    assert problems({"name": "a"}, {"name": "c", "needs": ["a", "a"]}) == [("needs_twice", "steps[1].needs[1]")]
    assert problems({"name": "a", "needs": ["c"]}, {"name": "b", "needs": ["a"]}, {"name": "c", "needs": ["b"]}) == [
        ("needs_circle", "steps[0].needs")
    ]
    definition = {"name": "t", "on": "all", "steps": [{"name": "a", "run": "true"}, block]}
    assert [(one.code, one.path) for one in check_definition(definition)] == [
        ("key_of_block", "steps[1].steps[0].needs")
    ]
    definition["steps"] = [
        {"name": "a", "run": "true", "needs": ["inner"]},
        {**block, "steps": [{"name": "inner", "run": "x"}]},
    ]
    assert [one.code for one in check_definition(definition)] == ["needs_inner"]


def test_conditions_that_cannot_be_understood_are_refused() -> None:
    assert problems({"name": "a", "when": "params.x =="}) == [("bad_expression", "steps[0].when")]
    assert problems({"name": "a", "when": "params.x"}) == [("unknown_parameter", "steps[0].when")]
    assert problems({"name": "a", "when": "nonsense()"}) == [("unknown_function", "steps[0].when")]
    assert problems({"name": "a", "when": "${{ true }} and more"}) == [("bad_expression", "steps[0].when")]
    assert problems({"name": "a", "when": "steps.b.outputs.x == '1'"}, {"name": "b"}) == [
        ("circular_reference", "steps[0].when")
    ]
    inside = {"name": "b", "steps": [{"name": "i", "run": "true", "when": "failed()"}]}
    definition = {"name": "t", "on": "all", "steps": [inside]}
    assert [one.code for one in check_definition(definition)] == ["status_inside"]
    graph = [{"name": "a", "needs": []}, {"name": "b", "env": {"X": "${{ steps.a.outputs.x }}"}}]
    assert problems(*graph) == [("beside_reference", "steps[1].env.X")]
    assert problems({"name": "a", "when": "${{ success() && agent.labels.role == 'web' }}"}) == []
