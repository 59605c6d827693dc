"""What one host gets: the last expressions are filled in for it."""

from __future__ import annotations

from typing import Any

import pytest

from plumber_core.errors import InvalidRequest
from plumber_core.model.agent import AgentRef
from plumber_core.model.plan import Plan, PlanStep
from plumber_core.planning.expand import expand
from plumber_core.planning.parse import parse_task
from plumber_core.planning.render import render_step, summary
from plumber_core.protocol.messages import StepSpec

FLEET = [
    AgentRef("1", "web-1", labels={"role": "web"}),
    AgentRef("2", "web-2", labels={"role": "web"}),
    AgentRef("3", "builder", labels={"role": "build"}),
]


def plan_of(step: str, parameters: dict[str, Any] | None = None) -> Plan:
    source = f"""
name: deploy
params: {{v: {{}}, n: {{type: int}}}}
env: {{APP: shop, WHO: '${{{{ agent.name }}}}'}}
on: role=web
steps:
  - {{name: compile all, on: builder, run: make}}
  - {{name: prepare, run: x}}
  - {{name: go, {step}}}
"""
    return expand(parse_task(source).task, {"v": "1", "n": 5, **(parameters or {})}, FLEET)


def env_value(expression: str, host: str = "1", outputs: Any = None, **parameters: Any) -> str:
    plan = plan_of(f"run: x, env: {{A: '{expression}'}}", parameters)
    return render_step(plan, 2, host, "e", outputs or {}).env["A"]


def test_a_step_is_rendered_whole() -> None:
    times = "timeout: 5s, idle_timeout: 1s, grace: 2s"
    plan = plan_of("run: make, path: '/srv/${{ agent.name }}', stdin: hi, env: {APP: own}, " + times)
    assert render_step(plan, 2, "2", "execution-1", {}) == StepSpec(
        execution="execution-1",
        task="deploy",
        step="go",
        index=2,
        uses="shell",
        params={"run": "make"},
        env={"APP": "own", "v": "1", "n": "5", "WHO": "web-2"},
        path="/srv/web-2",
        timeout=5.0,
        idle_timeout=1.0,
        grace=2.0,
        stdin="hi",
        clean_environment=True,
    )


def test_parameters_of_an_executor_keep_their_types() -> None:
    host = "host: '${{ agent.id }}:${{ params.n }}', list: ['${{ agent.name }}']"
    plan = plan_of("uses: http, with: {expect: '${{ params.n + 1 }}', " + host + "}")
    assert render_step(plan, 2, "1", "e", {}).params == {"expect": 6, "host": "1:5", "list": ["web-1"]}


OUTPUTS = {"compile all": {"3": {"v": "built"}}, "prepare": {"1": {"k": "one"}, "2": {"k": "two", "only": "2"}}}


def test_outputs_come_from_the_same_host_else_from_the_only_one() -> None:
    assert env_value("${{ steps.prepare.outputs.k }}", "1", OUTPUTS) == "one"
    assert env_value("${{ steps.prepare.outputs.k }}", "2", OUTPUTS) == "two"
    assert env_value("${{ steps.compile all.outputs.v }}", "2", OUTPUTS) == "built"
    assert env_value('${{ steps["compile all"].outputs.v }}', "1", OUTPUTS) == "built"
    assert env_value('${{ steps.prepare.hosts["web-2"].outputs.k }}', "1", OUTPUTS) == "two"
    assert env_value('${{ steps.prepare.hosts["2"].outputs.k }}', "1", OUTPUTS) == "two"


@pytest.mark.parametrize(
    ("expression", "says"),
    [
        ("${{ steps.prepare.outputs.only }}", "write steps['prepare'].hosts['web-2'].outputs.only"),
        ("${{ steps.prepare.outputs.nothing }}", "step prepare has set no output nothing"),
        ("${{ steps.compile all.outputs.k }}", "step compile all has set no output k"),
        ('${{ steps.prepare.hosts["web-9"].outputs.k }}', "there is no web-9"),
        ("${{ agent.labels.rack }}", "there is no rack"),
        ("${{ agent.name + 1 }}", "string + int"),
    ],
)
def test_a_missing_value_says_what_would_work(expression: str, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        env_value(expression, "1", OUTPUTS)
    assert caught.value.arguments["field"] == "steps.go"
    assert says in caught.value.arguments["reason"]


def test_values_are_never_read_as_expressions_again() -> None:
    hostile = "${{ agent.id }}"
    assert env_value("${{ params.v }}", v=hostile) == hostile
    assert env_value("${{ steps.prepare.outputs.k }}", outputs={"prepare": {"1": {"k": hostile}}}) == hostile
    plan = plan_of("run: 'echo \"$v\"'", {"v": hostile})
    assert render_step(plan, 2, "1", "e", {}).env["v"] == hostile


def test_a_nul_never_reaches_an_environment() -> None:
    with pytest.raises(InvalidRequest, match="NUL"):
        env_value('${{ agent.name + "\\u0000" }}')


@pytest.mark.parametrize(
    ("step", "text"),
    [
        (PlanStep("a", "shell", {"run": "make dist\n"}), "make dist"),
        (PlanStep("a", "shell", {"run": "\n\nmake\ninstall"}), "make ..."),
        (PlanStep("a", "shell", {"run": "x" * 300}), "x" * 196 + " ..."),
        (PlanStep("a", "http", {"url": "https://x/?a b", "expect": 200}), "http url='https://x/?a b' expect=200"),
        (PlanStep("a", "script", {"script": "one\ntwo"}), "script script='one two'"),
    ],
)
def test_summaries_are_one_line(step: PlanStep, text: str) -> None:
    assert summary(step) == text
