"""Expressions: what they know, what they cannot do, and how values become text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumber_core.planning.expressions import EvaluationError, ExpressionError, compile_expression, evaluate, matches
from plumber_core.planning.templates import as_text, parse_template, render, render_text

VARIABLES: dict[str, Any] = {
    "params": {"n": 3, "names": ["a", "b"], "on": True, "none": None, "text": "${{ agent.name }}"},
    "agent": {"id": "i", "name": "web-1", "labels": {"role": "web"}},
    "steps": {
        "build": {"outputs": {"version": "v2"}, "hosts": {"web-9": {"outputs": {"version": "v9"}}}},
        "roll out": {"outputs": {"my-key": "1"}},
        "step-1.b": {"outputs": {"x": "dotted"}},
        "in": {"outputs": {"x": "reserved"}},
    },
}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("plain", "plain"),
        ("$x ${x} {{ x }}", "$x ${x} {{ x }}"),
        ("${{ params.n }}", 3),
        ("n=${{ params.n }}", "n=3"),
        ("${{ params.names }}", ["a", "b"]),
        ("${{params.on}}/${{agent.name}}", "true/web-1"),
        ("[${{ params.none }}]", "[]"),
        ("${{ params.text }}", "${{ agent.name }}"),
        ("${{ params.n > 2 ? 'big' : 'small' }}", "big"),
        ("${{ agent.labels.role == 'web' }}", True),
        ("${{ steps.build.outputs.version }}", "v2"),
        ("${{ steps.roll out.outputs['my-key'] }}", "1"),
        ("${{ steps[\"roll out\"].outputs['my-key'] }}", "1"),
        ("${{ steps.step-1.b.outputs.x }}", "dotted"),
        ("${{ steps.in.outputs.x }}", "reserved"),
        ("${{ steps.build.hosts['web-9'].outputs.version }}", "v9"),
        ("${{ has(steps.build.outputs.nothing) }}", False),
        ("${{ params.names.map(n, n + '!') }}", ["a!", "b!"]),
        ("${{ {'a': {'b': 1}} }}", {"a": {"b": 1}}),
        ("${{ '}}' }}${{ \"${{\" }}", "}}${{"),
        ("${{ 'steps.build.outputs.version' }}", "steps.build.outputs.version"),
    ],
)
def test_what_an_expression_is_worth(text: str, value: Any) -> None:
    rendered = render(text, VARIABLES)
    assert rendered == value
    assert type(rendered) is type(value)


def test_what_an_expression_reads_is_known_before_it_runs() -> None:
    expression = compile_expression(
        "steps.roll out.outputs.a + steps['b'].hosts['h'].outputs.c + params['p'] + agent.name"
    )
    assert expression.steps == {"roll out", "b"}
    assert expression.outputs == {("roll out", "a")}
    assert expression.params == {"p"}
    assert expression.roots == {"steps", "params", "agent"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("${{ }}", "bad_expression"),
        ("${{ 1 + }}", "bad_expression"),
        ("${{ params.n", "unclosed_expression"),
        ("${{ params.n }", "unclosed_expression"),
        ("${{ env.HOME }}", "unknown_variable"),
        ("${{ now() }}", "unknown_function"),
        ("${{ steps.build }}", "no_output"),
        ("${{ steps }}", "dynamic_step"),
        ("${{ steps[params.n].outputs.x }}", "dynamic_step"),
        ("${{ params.names.map(a, params.names.map(b, b)) }}", "expression_too_large"),
        ("${{ " + "1+" * 600 + "1 }}", "expression_too_large"),
        ("${{ " + "1+" * 600, "expression_too_large"),
    ],
)
def test_what_no_expression_may_be(text: str, code: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_template(text)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "text", ["${{ params.zz }}", "${{ 1 / 0 }}", "${{ params.n + 'a' }}", "${{ params.names[9] }}"]
)
def test_what_has_no_value(text: str) -> None:
    with pytest.raises(EvaluationError) as caught:
        render(text, VARIABLES)
    assert caught.value.reason


def test_values_become_text_as_environments_carry_it() -> None:
    values = ["x", None, True, 3, 2.5, ["a", 1, False], {"b": [1]}]
    assert [as_text(value) for value in values] == ["x", "", "true", "3", "2.5", "a\n1\nfalse", '{"b": [1]}']
    with pytest.raises(EvaluationError, match="NUL"):
        render_text("${{ '\\u0000' }}", {})


def test_patterns_take_linear_time_and_no_look_around() -> None:
    assert matches("^v[0-9.]+$", "v1.2")
    assert not matches("^v[0-9.]+$", "v1.2\n")
    assert not matches("^(a+)+$", "a" * 50_000 + "!")
    for pattern in ("(", "(?=a)", "(a{1000}){1000}"):
        with pytest.raises(EvaluationError):
            matches(pattern, "")


_pieces = st.sampled_from(
    ["${{", "}}", "steps", ".", "build", "outputs", "[", "]", "'", '"', "\\", "params", "(", ")", "{", "}", " ", "1",
     "+", "map", "x", ",", "?", ":", "-", "é", "\n", "//", "null", "r'"]
)  # fmt: skip


@settings(max_examples=500, deadline=None)
@given(st.text(max_size=30).map(lambda text: "${{" + text + "}}") | st.lists(_pieces, max_size=25).map("".join))
def test_no_text_makes_it_raise_anything_else(text: str) -> None:
    try:
        parts = parse_template(text)
        for part in parts:
            if not isinstance(part, str):
                evaluate(part, VARIABLES)
    except (ExpressionError, EvaluationError):
        pass
