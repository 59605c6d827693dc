"""Task files that are right: every language gives the same task."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumber_core.errors import TooLarge, ValidationFailed
from plumber_core.model.agent import AgentRef
from plumber_core.model.plan import Plan, RetryPolicy
from plumber_core.model.states import AgentState
from plumber_core.model.task import Parameter, Step, Task
from plumber_core.planning.expand import expand
from plumber_core.planning.parse import check_definition, check_task, parse_task, task_from_definition

EXAMPLES = Path(__file__).parents[2] / "examples" / "tasks"
YAML = """
name: deploy shop
description: Everything once
params:
  version: {type: string, pattern: '^v[0-9.]+$', required: true, description: tag}
  size: {type: enum, choices: [1, 2], default: 1}
env: {RELEASE: 1.10, DEBUG: true, OCTAL: 010}
on: role=web and not web-3
path: /srv
labels: {team: 7}
steps:
  - name: build
    on: [builder-1, builder-2]
    run: make
    timeout: 1h30m
    idle_timeout: 90
    grace: 500ms
    stdin: "yes"
    shell: bash -e
  - name: 烟雾测试
    uses: http
    with: {url: 'https://x/${{ steps.build.outputs.page }}', expect: 200, nested: [1.5, true, null]}
    on_failure: continue
"""


def test_yaml_becomes_the_task_that_a_program_would_build() -> None:
    expected = Task(
        name="deploy shop",
        description="Everything once",
        params={
            "version": Parameter(pattern="^v[0-9.]+$", required=True, description="tag"),
            "size": Parameter(type="enum", choices=("1", "2"), default="1"),
        },
        env={"RELEASE": "1.10", "DEBUG": "true", "OCTAL": "010"},
        on="role=web and not web-3",
        path="/srv",
        labels={"team": "7"},
        steps=(
            Step(
                name="build",
                on=("builder-1", "builder-2"),
                run="make",
                timeout=5400.0,
                idle_timeout=90.0,
                grace=0.5,
                stdin="yes",
                shell="bash -e",
            ),
            Step(
                name="烟雾测试",
                uses="http",
                **{
                    "with": {
                        "url": "https://x/${{ steps.build.outputs.page }}",
                        "expect": 200,
                        "nested": [1.5, True, None],
                    }
                },
                on_failure="continue",
            ),
        ),
    )
    parsed = parse_task(YAML)
    assert parsed.task == expected
    assert parsed.format == "yaml"


def test_the_definition_leaves_defaults_out_and_reads_back_the_same() -> None:
    parsed = parse_task(YAML)
    assert parsed.definition["steps"][0]["timeout"] == 5400.0
    assert "stdin" not in parsed.definition["steps"][1]
    assert task_from_definition(json.loads(json.dumps(parsed.definition))) == parsed.task
    assert parse_task(json.dumps(parsed.definition), "json").task == parsed.task
    assert parse_task(json.dumps(parsed.definition), "yaml").task == parsed.task


def test_our_own_toml_has_the_same_keys() -> None:
    source = """
    name = "t"
    on = "all"
    [env]
    VERSION = 1.10
    [[steps]]
    name = "a"
    run = "true"
    timeout = "10s"
    """
    parsed = parse_task(source)
    assert parsed.format == "toml"
    assert parsed.task == Task(
        name="t", on="all", env={"VERSION": "1.10"}, steps=(Step(name="a", run="true", timeout=10),)
    )


def test_run_true_is_a_command_and_keys_without_a_value_are_not_there() -> None:
    task = parse_task("name: x\non: all\npath:\nparams:\nsteps: [{name: a, run: true, env: }]").task
    assert task.steps[0].run == "true"
    assert task.path is None


def test_anchors_and_merges_are_expanded() -> None:
    source = """
    name: x
    on: all
    steps:
      - &first {name: a, run: one, timeout: 5s}
      - {<<: *first, name: b}
      - <<: [*first, {path: /tmp, run: never}]
        name: c
    """
    task = parse_task(source).task
    assert [(step.name, step.run, step.timeout) for step in task.steps] == [
        ("a", "one", 5),
        ("b", "one", 5),
        ("c", "one", 5),
    ]
    assert task.steps[2].path == "/tmp"


def test_json_reads_what_yaml_would_read_otherwise() -> None:
    source = '{\n\t"name": "\\ud83d\\ude00 \\/",\n\t"on": "all", "steps": [{"name": "a", "run": "true"}]}'
    parsed = parse_task(source)
    assert parsed.format == "json"
    assert parsed.task.name == "\U0001f600 /"


def test_a_name_beside_the_file_serves_files_without_one() -> None:
    source = "on: all\nsteps: [{name: a, run: b}]"
    assert [problem.code for problem in check_task(source)] == ["missing_key"]
    assert parse_task(source, name="given", description="d").task.name == "given"
    assert parse_task("name: own\n" + source, name="given").task.name == "own"


@pytest.mark.parametrize("file", sorted(EXAMPLES.iterdir()), ids=lambda file: file.name)
def test_the_examples_are_right(file: Path) -> None:
    name = "given" if file.name == "original.toml" else None
    assert check_task(file.read_bytes(), name=name) == []


def test_a_task_built_by_a_program_is_checked_the_same_way() -> None:
    good = Task(name="x", on="all", steps=(Step(name="a", run="true"),))
    bad = Task(name="x", steps=(Step(name="a"), Step(name="a", run="echo ${{ agent.name }}")))
    assert check_definition(good.definition()) == []
    codes = {problem.code for problem in check_definition(bad.definition())}
    assert codes == {"no_command", "no_target", "duplicate_step", "expression_in_command"}


def test_a_damaged_definition_is_refused() -> None:
    with pytest.raises(ValidationFailed) as caught:
        task_from_definition({"name": "x", "steps": [{"name": "a", "rnu": "b"}], "on": 7})
    assert {problem["code"] for problem in caught.value.arguments["problems"]} == {"unknown_key", "wrong_type"}


_texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=30)
_plain = _texts.map(lambda text: text.replace("${{", "")).filter(lambda text: text.strip() == text)
_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _plain,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_plain, inner, max_size=3),
    max_leaves=8,
)
_names = st.from_regex(r"[A-Za-z_][A-Za-z0-9_]{0,8}", fullmatch=True)
_durations = st.floats(0, 1e6)


@st.composite
def _definitions(draw: st.DrawFn) -> dict[str, Any]:
    optional = {"path": _plain, "timeout": _durations, "grace": _durations, "stdin": _plain}
    extras = st.fixed_dictionaries({"env": st.dictionaries(_names, _plain, max_size=2)}, optional=optional)
    runs = _plain.filter(lambda text: bool(text.strip()))
    command = st.fixed_dictionaries({"run": runs}) | st.fixed_dictionaries(
        {"uses": st.sampled_from(["http", "x"]), "with": st.dictionaries(_plain, _values, max_size=3)}
    )
    count = draw(st.integers(1, 3))
    steps = [{"name": f"step {index}"} | draw(extras) | draw(command) for index in range(count)]
    return {"name": "t", "description": draw(_plain), "on": "all", "steps": steps}


@settings(max_examples=150, deadline=None)
@given(_definitions())
def test_whatever_is_dumped_reads_back_the_same(definition: dict[str, Any]) -> None:
    reserved = any(name.upper().startswith("PLUMBER_") for step in definition["steps"] for name in step["env"])
    if reserved:
        return
    task = task_from_definition(definition)
    for format in ("json", "yaml"):
        text = json.dumps(task.definition(), ensure_ascii=format == "json", indent=1)
        if format == "yaml" and not text.isprintable() and any(not c.isprintable() and c != "\n" for c in text):
            continue
        parsed = parse_task(text, format)
        assert parsed.task == task
        assert parsed.definition == task.definition()


_fragments = st.sampled_from(
    ["name: x\n", "steps:\n", "  - name: a\n", "    run: b\n", "on: all\n", "{", "}", "[", "]",
     "- ", "&a ", "*a", "<<: ",
     "!!x ", "? ", ": ", '"', "'", "|\n", "#", "\t", "${{", "}}", "steps.a.outputs.b", "params:\n",
     "[[step]]\n", "CMD = 1\n",
     "\\", "%YAML 1.1\n", "---\n", "...\n", "1e999", ".nan", "\ufeff", "\x00", "\x85", "{\"a\":1,\"a\":2}", "9" * 40]
)  # fmt: skip


@settings(max_examples=400, deadline=None)
@given(
    st.binary(max_size=60) | st.lists(_fragments, max_size=12).map("".join) | st.text(max_size=60),
    st.sampled_from(["auto", "yaml", "json", "toml"]),
)
def test_no_bytes_make_it_raise_anything_but_problems(source: str | bytes, format: Any) -> None:
    try:
        parse_task(source, format)
    except (ValidationFailed, TooLarge):
        problems = check_task(source, format)
        assert problems
        assert all(problem.message for problem in problems)
    else:
        assert check_task(source, format) == []


def test_what_a_retry_says_reaches_the_plan_and_survives_its_storage() -> None:
    source = """
name: x
on: all
timeout: 2h
queue_timeout: 10m
steps:
  - name: a
    run: b
    retry: {attempts: 4, delay: 5s, backoff: 2, max_delay: 1m, jitter: 0.1, on: [failed, lost], exit_codes: [75]}
    stop_after: 2m
    lost_after: never
"""
    plan = expand(parse_task(source).task, {}, [AgentRef("id", "web-1", AgentState.ACTIVE, {}, {})])
    step = plan.steps[0]
    assert step.retry == RetryPolicy(4, 5.0, 2.0, 60.0, 0.1, ("failed", "lost"), (75,))
    assert (step.stop_after, step.lost_after, plan.timeout, plan.queue_timeout) == (120.0, "never", 7200.0, 600.0)
    assert Plan.from_json(json.loads(json.dumps(plan.to_json()))) == plan
