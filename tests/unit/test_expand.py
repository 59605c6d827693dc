"""Plans: frozen targets, filled-in parameters, and a hash over all of it."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from plumber_core.errors import InvalidRequest, NobodyMatches, TooLarge
from plumber_core.model.agent import AgentRef
from plumber_core.model.plan import Plan, Stage
from plumber_core.model.states import AgentState
from plumber_core.model.task import Step, Task
from plumber_core.planning import expand as module
from plumber_core.planning.expand import expand, plan_hash
from plumber_core.planning.parse import parse_task

FLEET = [
    AgentRef("2", "web-2", labels={"role": "web"}),
    AgentRef("1", "web-1", labels={"role": "web", "rack": "r7"}, facts={"os": "linux", "rack": "fact"}),
    AgentRef("3", "db", labels={"role": "db"}),
    AgentRef("4", "off", AgentState.DISABLED, labels={"role": "web"}),
]


def plan_of(source: str, parameters: dict[str, Any] | None = None) -> Plan:
    return expand(parse_task(source).task, parameters or {}, FLEET, revision=3)


def task(**values: Any) -> Task:
    return Task(**{"name": "t", "on": "all", "steps": [Step(name="a", run="true")], **values})


def hosts(on: Any, **parameters: Any) -> list[str]:
    plan = expand(task(on=on), parameters, FLEET)
    return [plan.hosts[host] for host in plan.stages[0].hosts]


def test_a_plan_holds_everything_that_an_execution_needs() -> None:
    plan = plan_of(
        """
        name: deploy
        params: {version: {}, hosts: {type: list}}
        env: {APP: shop, version: overridden}
        on: role=web
        path: /srv
        steps:
          - {name: a, run: make, shell: bash -e, timeout: 1m, env: {APP: own}}
          - {name: b, on: db, uses: http, with: {url: x}, path: /tmp, on_failure: continue, stdin: in, grace: 0}
        """,
        {"version": "v1", "hosts": ["x", "y"]},
    )
    first, second = plan.steps
    assert plan.stages == (Stage((0,), ("1", "2")), Stage((1,), ("3",)))
    assert plan.hosts == {"1": "web-1", "2": "web-2", "3": "db"}
    assert plan.environment == {"APP": "shop", "version": "v1", "hosts": "x\ny"}
    assert (first.uses, first.params, first.path) == ("shell", {"run": "make", "shell": "bash -e"}, "/srv")
    assert (first.timeout, first.env) == (60.0, {"APP": "own"})
    assert (second.uses, second.params, second.path) == ("http", {"url": "x"}, "/tmp")
    assert (second.on_failure, second.stdin, second.grace) == ("continue", "in", 0.0)
    assert (plan.task, plan.revision, plan.clean_environment) == ("deploy", 3, True)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_what_parameters_decide_is_filled_in_and_the_rest_waits() -> None:
    plan = plan_of(
        """
        name: x
        params: {where: {}, n: {type: int}}
        env: {A: '${{ params.where }}', B: '${{ agent.name }}'}
        on: all
        path: /srv/${{ params.where }}
        steps:
          - {name: build, run: make}
          - name: call
            uses: http
            with: {expect: '${{ params.n }}', url: 'http://${{ agent.labels.rack }}/${{ steps.build.outputs.k }}'}
        """,
        {"where": "here", "n": 200},
    )
    call = plan.steps[1]
    assert plan.environment == {"A": "here", "where": "here", "n": "200"}
    assert call.env == {"B": "${{ agent.name }}"}
    assert call.path == "/srv/here"
    assert call.params["expect"] == 200
    assert call.params["url"].endswith("${{ steps.build.outputs.k }}")
    assert call.needs_outputs == ("build",)
    assert plan.labels["1"] == {"os": "linux", "rack": "r7", "role": "web"}
    assert plan.steps[0].needs_outputs == ()


def test_labels_are_frozen_only_where_they_are_read() -> None:
    assert expand(task(), {}, FLEET).labels == {}


def test_a_value_that_looks_like_an_expression_never_becomes_one() -> None:
    hostile = "${{ steps.secret.outputs.x }}"
    plan = expand(task(env={"A": "x${{ params.v }}"}, params={"v": {}}), {"v": hostile}, FLEET)
    assert plan.environment["v"] == hostile
    assert plan.steps[0].env == {"A": "x${{ params.v }}"}
    assert plan.steps[0].needs_outputs == ()


@pytest.mark.parametrize(
    ("on", "parameters", "names"),
    [
        ("role=${{ params.r }}", {"r": "db"}, ["db"]),
        ("role in (${{ params.r }})", {"r": ["db", "web"]}, ["db", "web-1", "web-2"]),
        ("${{ params.r }}", {"r": "role=web and not web-1"}, ["web-2"]),
        ("${{ params.r }}", {"r": ["db", "1"]}, ["db", "web-1"]),
        (["${{ params.r }}", "db"], {"r": "web-2"}, ["db", "web-2"]),
        (["${{ params.r }}"], {"r": ["web-1", "db"]}, ["db", "web-1"]),
        (["web-${{ params.r }}"], {"r": 2}, ["web-2"]),
        (["web-*", "db"], {}, ["db", "web-1", "web-2"]),
    ],
)
def test_targets_may_depend_on_parameters(on: Any, parameters: dict[str, Any], names: list[str]) -> None:
    assert hosts(on, **parameters) == names


@pytest.mark.parametrize("value", ["web or all", "*", "all", "web)", "'", "", "a b", ["web", "*"], [], None, True, 1.5])
def test_a_parameter_cannot_widen_the_target_that_it_stands_in(value: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        hosts("role=${{ params.r }}", r=value)
    assert caught.value.arguments["field"] == "steps.a.on"


@pytest.mark.parametrize("value", ["*", "web-*", "all", "role=web"])
def test_a_parameter_in_a_list_is_a_name_and_nothing_else(value: str) -> None:
    with pytest.raises(NobodyMatches):
        hosts(["${{ params.r }}"], r=value)


@pytest.mark.parametrize("on", ["role=cache", "off", ["web-1", "typo"], ["off"], "${{ params.none }}"])
def test_nobody_is_an_error_even_for_one_name_of_several(on: Any) -> None:
    with pytest.raises(NobodyMatches) as caught:
        hosts(on, none=[])
    assert caught.value.arguments["step"] == "a"
    assert caught.value.arguments["target"]


def test_a_task_without_target_steps_or_command_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="target"):
        expand(task(on=None), {}, FLEET)
    with pytest.raises(InvalidRequest, match="no steps"):
        expand(task(steps=[]), {}, FLEET)
    with pytest.raises(InvalidRequest, match="neither run nor uses"):
        expand(task(steps=[Step(name="a")]), {}, FLEET)


def test_an_expression_without_a_value_names_its_step() -> None:
    with pytest.raises(InvalidRequest) as caught:
        expand(task(steps=[Step(name="roll out", run="x", env={"A": "${{ params.none + 1 }}"})]), {"none": None}, FLEET)
    assert caught.value.arguments["field"] == "steps.roll out"


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_STEP_EXECUTIONS", 5)
    steps = [Step(name=str(index), run="x") for index in range(2)]
    with pytest.raises(TooLarge) as caught:
        expand(task(steps=steps), {}, FLEET)
    assert (caught.value.arguments["actual"], caught.value.arguments["limit"]) == (6, 5)
    monkeypatch.setattr(module, "MAX_STEPS", 1)
    with pytest.raises(TooLarge):
        expand(task(steps=steps), {}, FLEET)


def test_the_hash_changes_with_anything_in_the_plan() -> None:
    plan = expand(task(), {"x": "1"}, FLEET)
    assert plan_hash(plan) == plan_hash(Plan.from_json(json.loads(json.dumps(plan.to_json()))))
    changed = [
        replace(plan, parameters={"x": "2"}),
        replace(plan, hosts={}),
        replace(plan, stages=(Stage((0,), ("1",)),)),
        replace(plan, steps=(replace(plan.steps[0], timeout=1.0),)),
        replace(plan, clean_environment=False),
    ]
    assert len({plan_hash(each) for each in [plan, *changed]}) == len(changed) + 1
