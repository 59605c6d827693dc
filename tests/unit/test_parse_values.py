"""Values of a step's parameters against what its executor announced."""

from __future__ import annotations

import pytest

from plumber_core.planning.parse import check_task

TYPED = {
    "check": {
        "properties": {
            "times": {"type": "integer", "minimum": 1, "maximum": 9},
            "mode": {"enum": ["fast", "sure"]},
            "name": {"type": "string", "pattern": "^[a-z]+$"},
            "loud": {"type": "boolean"},
            "hosts": {"type": "array", "items": {"type": "string"}, "minItems": 1},
            "expect": {"anyOf": [{"type": "integer"}, {"type": "null"}]},
            "deep": {"$ref": "#/$defs/Deep"},
            "far": {"$ref": "https://elsewhere.example/schema"},
        },
        "$defs": {"Deep": {"type": "object", "properties": {"n": {"type": "number"}}}},
    }
}


@pytest.mark.parametrize(
    ("values", "path", "message"),
    [
        ("{times: many}", "times", "times of check must be a whole number."),
        ("{times: 0}", "times", "times of check must be at least 1."),
        ("{mode: fats}", "mode", "mode of check must be one of fast, sure."),
        ("{name: A1}", "name", "name of check must match ^[a-z]+$."),
        ("{loud: perhaps}", "loud", "loud of check must be true or false."),
        ("{hosts: []}", "hosts", "hosts of check must be at least 1 entries."),
        ("{hosts: [a, 2]}", "hosts[1]", "hosts.1 of check must be text."),
        ("{expect: [1]}", "expect", "expect of check does not fit what is expected (anyOf)."),
        ("{deep: {n: x}}", "deep.n", "deep.n of check must be a number."),
    ],
)
def test_values_fit_what_the_executor_announced(values: str, path: str, message: str) -> None:
    kinds = {"check": {**TYPED["check"], "properties": {**TYPED["check"]["properties"], "far": {}}}}
    source = f"name: t\non: all\nsteps:\n  - name: a\n    uses: check\n    with: {values}\n"
    [problem] = check_task(source, kinds=kinds)
    assert (problem.code, problem.path, problem.message) == ("bad_with", f"steps[0].with.{path}", message)
    assert problem.line == 6


@pytest.mark.parametrize(
    "values",
    [
        '{times: "3", loud: "yes", expect: "200"}',
        "{times: '${{ params.n }}', hosts: ['${{ params.n }}'], mode: '${{ params.n }}', deep: '${{ params.n }}'}",
        "{times: 3, mode: fast, name: ok, loud: false, hosts: [a], deep: {n: 1}}",
    ],
)
def test_text_that_reads_as_a_number_and_expressions_are_taken(values: str) -> None:
    source = f"name: t\non: all\nparams: {{n: {{}}}}\nsteps:\n  - name: a\n    uses: check\n    with: {values}\n"
    kinds = {"check": {**TYPED["check"], "properties": {**TYPED["check"]["properties"], "far": {}}}}
    assert check_task(source, kinds=kinds) == []


@pytest.mark.parametrize(
    "schema", [TYPED["check"], {"properties": 3}, {"type": "nonsense"}, {"$ref": "file:///etc/passwd"}]
)
def test_an_agent_s_schema_that_is_none_refuses_nothing_and_fetches_nothing(schema: dict[str, object]) -> None:
    source = "name: t\non: all\nsteps:\n  - {name: a, uses: check, with: {times: 3}}\n"
    assert [one.code for one in check_task(source, kinds={"check": schema}) if one.code == "bad_with"] == []
