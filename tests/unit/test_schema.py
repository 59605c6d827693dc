"""The published schema: committed as it is made, true to the reader, and silent about what does not work."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import plumber_core
from plumber_core.planning.keys import PARAMETER_KEYS, STEP_KEYS, STEP_LATER, TASK_KEYS, TASK_LATER
from plumber_core.planning.parse import check_task
from plumber_core.planning.schema import task_schema

COMMITTED = Path(plumber_core.__file__).parent / "schema" / "task.schema.json"
EXAMPLES = Path(__file__).parents[2] / "examples" / "tasks"
VALIDATOR = jsonschema.Draft202012Validator(task_schema())


def test_the_committed_schema_is_the_generated_one() -> None:
    text = json.dumps(task_schema(), indent=2) + "\n"
    assert COMMITTED.read_text() == text, "write the output of `plumber schema task` to this file"


def test_it_is_a_schema_with_exactly_the_keys_that_work() -> None:
    schema = task_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    definitions = schema["$defs"]
    assert set(schema["properties"]) == {
        *("name", "description", "params", "env", "on", "allow_empty", "path", "steps", "labels"),
        *("timeout", "queue_timeout", "offline", "notify", "always", "concurrency", "locks"),
    }
    assert set(definitions["Step"]["properties"]) == {
        *("name", "run", "uses", "with", "on", "allow_empty", "path", "env", "shell", "secrets"),
        *("timeout", "idle_timeout", "grace", "stdin", "on_failure", "when", "needs", "locks"),
        *("retry", "idempotent", "on_disconnect", "stop_after", "lost_after", "steps", "rollout"),
    }
    assert set(definitions["Step"]["properties"]) - set(definitions["Inner"]["properties"]) == {
        *("on", "allow_empty", "steps", "rollout", "needs")
    }
    assert set(definitions["Step"]["properties"]) - set(definitions["Gate"]["properties"]) == {
        *("allow_empty", "on_failure", "steps", "rollout", "when", "needs", "locks")
    }
    assert set(definitions["Rollout"]["properties"]) == {"batches", "max_failures", "pause", "gate", "order"}
    assert set(definitions["Retry"]["properties"]) == {
        *("attempts", "delay", "backoff", "max_delay", "jitter", "on", "exit_codes")
    }
    assert set(definitions["Parameter"]["properties"]) == {
        *("type", "pattern", "required", "default", "description", "choices", "min", "max")
    }
    assert (set(TASK_KEYS), set(STEP_KEYS)) == (set(schema["properties"]), set(definitions["Step"]["properties"]))
    assert not set(TASK_KEYS) & TASK_LATER
    assert not set(STEP_KEYS) & STEP_LATER
    assert "default" in PARAMETER_KEYS


@pytest.mark.parametrize("name", ["hello.yaml", "demo.yaml", "report.json"])
def test_the_examples_fit(name: str) -> None:
    value = YAML(typ="safe", pure=True).load((EXAMPLES / name).read_text())
    assert [error.message for error in VALIDATOR.iter_errors(value)] == []


def test_the_originals_file_is_another_language() -> None:
    value = tomllib.loads((EXAMPLES / "original.toml").read_text())
    assert not VALIDATOR.is_valid(value)


_DURATIONS = st.sampled_from([0, 30, 1.5, "30", "30s", "1h30m", "2d", "500ms", "ten", "-1", -1, "1x", "", True, "1h2h"])
_RETRIES: list[Any] = [
    {"attempts": 2},
    {"attempts": 0},
    {"attempts": True},
    {"attempts": 2, "on": ["failed"]},
    {"attempts": 2, "dealy": 1},
    {"delay": "5s"},
    2,
]
_INNER: list[Any] = [
    {"name": "i", "run": "x"},
    {"name": "j", "uses": "http"},
    {"name": "k"},
    {"name": "l", "run": "x", "on": "all"},
    {"name": "m", "steps": []},
    5,
]
_ROLLOUTS: list[Any] = [
    {},
    {"batches": 1, "max_failures": 0, "pause": "manual", "order": "name"},
    {"batches": [1, "10%", "5 *2"], "max_failures": "2%", "pause": "30s", "order": {"label": "rack"}},
    {"batches": "ten"},
    {"batches": []},
    {"batches": 0},
    {"max_failures": {"total": 1, "batch": "5%"}},
    {"max_failures": {}},
    {"max_failures": -1},
    {"pause": "soon"},
    {"order": "size"},
    {"order": {"label": 5}},
    {"gate": {"run": "x", "timeout": "1m"}},
    {"gate": {"run": "x", "on_failure": "continue"}},
    {"gate": {}},
    {"gaet": {"run": "x"}},
    1,
]
_STEP = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["a", ""]),
        "run": st.just("x"),
        "uses": st.just("http"),
        "with": st.just({"a": [1]}),
        "on": st.sampled_from(["all", ["a"], [], 5]),
        "env": st.sampled_from([{"A": 1}, {"a-b": "x"}, {"A": [1]}, [1]]),
        "shell": st.just("bash"),
        "timeout": _DURATIONS,
        "grace": _DURATIONS,
        "on_failure": st.sampled_from(["stop", "continue", "pause"]),
        "retry": st.sampled_from(_RETRIES),
        "lost_after": st.sampled_from(["never", "5m", "x"]),
        "idempotent": st.sampled_from([True, "yes"]),
        "nmae": st.just("x"),
        "steps": st.lists(st.sampled_from(_INNER), max_size=2),
        "rollout": st.sampled_from(_ROLLOUTS),
    },
)
_PARAMETER = st.fixed_dictionaries(
    {},
    optional={
        "type": st.sampled_from(["string", "int", "enum", "secret"]),
        "required": st.sampled_from([True, "yes"]),
        "choices": st.sampled_from([["a"], "a"]),
        "min": st.sampled_from([1, "1", True]),
        "x": st.just(1),
    },
)
_TASK = st.fixed_dictionaries(
    {"name": st.just("t"), "on": st.just("all"), "steps": st.lists(_STEP, max_size=2)},
    optional={"params": st.dictionaries(st.sampled_from(["x", "9"]), _PARAMETER, max_size=1), "timeout": st.just("2h")},
)

_FORM = {"unknown_key", "not_supported_yet", "missing_key", "wrong_type", "not_a_choice", "bad_name", "no_steps"} | {
    *("no_command", "two_commands", "with_without_uses", "shell_without_run"),
    *("bad_variable_name", "bad_parameter_name", "missing_choices"),
    *("bad_batches", "empty_block", "nested_block", "key_of_block", "key_of_inner", "key_of_no_gate"),
}
"""Codes about the form of a task; the others need more than a schema can say."""


@settings(max_examples=400, deadline=None)
@given(_TASK)
def test_the_schema_and_the_reader_agree_about_the_form(task: dict[str, Any]) -> None:
    codes = {problem.code for problem in check_task(json.dumps(task), "json")}
    if VALIDATOR.is_valid(task):
        assert not codes & _FORM
        assert codes <= {"duplicate_step", "choices_without_enum", "range_without_size", "bad_duration"}
    else:
        assert codes & (_FORM | {"bad_duration", "bad_target"})
