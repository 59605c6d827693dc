"""Hostile and huge task files: refused for what they are, and soon."""

from __future__ import annotations

import json
from typing import Any

import pytest

from plumber_core.errors import TooLarge, ValidationFailed
from plumber_core.planning.parse import check_task, parse_task

MIB = 1024 * 1024


def _laughs() -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 10)]
    return "\n".join(lines)


@pytest.mark.parametrize(
    ("source", "format", "code"),
    [
        (_laughs(), "yaml", "too_many_values"),
        ("a: &a x\nb: [" + "*a, " * 101 + "]", "yaml", "too_many_aliases"),
        ("[" * 100_000, "yaml", "too_deep"),
        ("{a: " * 65 + "}" * 65, "yaml", "too_deep"),
        ("- " * 1000, "yaml", "too_deep"),
        ("a: &a " + "[" * 40 + "]" * 40 + "\nb: " + "[" * 40 + "*a" + "]" * 40, "yaml", "too_deep"),
        ("- a\n" * 60_000, "yaml", "too_many_values"),
        ("[" * 500_000, "json", "json_syntax"),
        ("[" * 500_000 + "]" * 500_000, "json", "too_deep"),
        ("[" * 65 + "]" * 65, "json", "too_deep"),
        ("[" + "1," * 60_000 + "1]", "json", "too_many_values"),
        ("a." * 100_000 + "b = 1", "toml", "too_deep"),
        ('"a".' * 100_000 + "b = 1", "toml", "too_deep"),
        ("a = " + "[" * 5000 + "]" * 5000, "toml", "too_deep"),
        ("a = " + "[" * 70 + "]" * 70, "toml", "too_deep"),
        ("a = [" + "1," * 60_000 + "]", "toml", "too_many_values"),
        ("a = " + "9" * 5000, "toml", "number_too_large"),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else None,
)
def test_a_bomb_is_refused_for_what_it_is(source: str, format: Any, code: str) -> None:
    codes = [problem.code for problem in check_task(source, format)]
    assert codes == [code] or (code == "json_syntax" and codes == ["too_deep"])


@pytest.mark.parametrize(
    "filler",
    ["a", " ", "\n", "#", "[", '"', "'", "${{ ", "{", "a = ", "= ", "a b ", "- ", ": ", "a.", "\\", "[[", "'''", "|\n"],
)
@pytest.mark.parametrize("format", ["auto", "yaml", "json", "toml"])
@pytest.mark.timeout(120)
def test_no_filler_makes_reading_take_for_ever(filler: str, format: Any) -> None:
    # A fifth of the limit: quadratic behaviour would take minutes even so.
    source = "name: x\nrun: " + filler * (MIB // 5 // len(filler))
    check_task(source, format)
    check_task(source[8:], format)


def test_a_source_over_the_limit_is_too_large() -> None:
    with pytest.raises(TooLarge) as caught:
        parse_task(b"#" * (MIB + 1))
    assert caught.value.explain() == f"source is too large: {MIB + 1} bytes, at most {MIB}."
    assert [problem.code for problem in check_task("é" * (MIB // 2 + 1))] == ["too_large"]


def test_lone_surrogates_in_a_text_are_a_problem_not_a_crash() -> None:
    assert [problem.code for problem in check_task("name: \ud800")] == ["bad_character"]


@pytest.mark.timeout(120)
def test_a_task_of_1000_steps_is_read() -> None:
    steps = [
        {"name": f"step {n}", "run": f"echo {n}", "timeout": "10m", "env": {"A": "${{ agent.name }}"}}
        for n in range(1000)
    ]
    source = "name: x\non: role=web\nsteps:\n" + "".join(
        f"  - name: {step['name']}\n    run: {step['run']}\n    timeout: 10m\n    env: {{A: '{{{{ x }}}}'}}\n"
        for step in steps
    )
    for text in (source, json.dumps({"name": "x", "on": "all", "steps": steps})):
        assert len(parse_task(text).task.steps) == 1000


def test_more_steps_than_the_limit_are_refused() -> None:
    source = json.dumps({"name": "x", "on": "all", "steps": [{"name": "a", "run": "b"}] * 10_001})
    assert "too_many_steps" in [problem.code for problem in check_task(source)]
    with pytest.raises(ValidationFailed):
        parse_task(source)
