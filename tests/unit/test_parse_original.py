"""The original's TOML means what it meant there."""

from __future__ import annotations

import pytest

from plumber_core.model.agent import AgentRef
from plumber_core.planning.expand import expand
from plumber_core.planning.parse import check_task, parse_task, task_from_definition
from plumber_core.planning.render import render_step

SOURCE = """
[[step]]
ServerID = "8a1f"
Path = "/opt/app"
CMD = "make && echo ${{ not.ours }} $HOME"

[[step]]
ServerID = "77b0"
CMD = '''
cd /tmp
ls
'''
"""
AGENTS = [AgentRef("8a1f", "build"), AgentRef("77b0", "web"), AgentRef("x", "8a1")]


def test_each_table_is_a_step_on_its_agent() -> None:
    parsed = parse_task(SOURCE, "toml", name="old task", description="d")
    assert parsed.task.name == "old task"
    assert parsed.task.description == "d"
    assert [(step.name, step.on, step.path, step.run) for step in parsed.task.steps] == [
        ("step-1", ("8a1f",), "/opt/app", "make && echo ${{ not.ours }} $HOME"),
        ("step-2", ("77b0",), None, "cd /tmp\nls\n"),
    ]
    assert task_from_definition(parsed.definition) == parsed.task


def test_its_commands_run_as_they_are_in_the_agents_environment() -> None:
    task = parse_task(SOURCE, name="old").task
    plan = expand(task, {}, AGENTS)
    assert plan.clean_environment is False
    assert [stage.hosts for stage in plan.stages] == [("8a1f",), ("77b0",)]
    spec = render_step(plan, 0, "8a1f", "e", {})
    assert spec.clean_environment is False
    assert spec.params == {"run": "make && echo ${{ not.ours }} $HOME"}
    assert spec.path == "/opt/app"


def test_the_case_of_its_keys_does_not_matter() -> None:
    parsed = parse_task('[[step]]\nserverid = "a"\npath = "/"\ncmd = "ls"\n', name="x")
    assert parsed.task.steps[0].run == "ls"


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ('[[step]]\nServerID = "a"\nCMD = ""\n', "missing_key", 1),
        ('[[step]]\nCMD = "ls"\n', "missing_key", 1),
        ('[[step]]\nServerID = "a"\nCMD = "x"\nCMDD = "y"\n', "unknown_key", 4),
        ('title = "x"\n[[step]]\nServerID = "a"\nCMD = "x"\n', "unknown_key", 1),
        ('[[step]]\nServerID = ["a"]\nCMD = "x"\n', "wrong_type", 2),
        ('[step]\nServerID = "a"\nCMD = "x"\n', "wrong_type", 1),
        ("step = []", "no_steps", 1),
    ],
)
def test_what_is_wrong_is_told_at_its_line(source: str, code: str, line: int) -> None:
    assert (code, line) in [(problem.code, problem.line) for problem in check_task(source, "toml", name="x")]


def test_without_a_name_it_is_no_task() -> None:
    assert [problem.code for problem in check_task(SOURCE)] == ["missing_key"]
