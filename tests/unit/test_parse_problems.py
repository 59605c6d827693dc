"""Task files that are wrong: each problem has its code, its line and column, and the nearest right name."""

from __future__ import annotations

from typing import Any

import pytest

from plumber_core.errors import ValidationFailed
from plumber_core.model.problems import Problem
from plumber_core.planning.parse import check_task, parse_task

HEAD = "name: x\non: all\nsteps:\n"
STEP = "  - name: a\n    run: b\n"


def found(source: str | bytes, format: Any = "yaml") -> list[tuple[str, int, int]]:
    return [(problem.code, problem.line, problem.column) for problem in check_task(source, format)]


def step(line: str) -> str:
    """A task whose only step has ``line`` at line 6, column 5."""
    return f"{HEAD}{STEP}    {line}\n"


def only(source: str, format: Any = "yaml") -> Problem:
    problems = check_task(source, format)
    assert len(problems) == 1, problems
    return problems[0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("a: b: c", ("yaml_syntax", 1, 5)),
        ("a:\n\tb: c", ("tab", 2, 1)),
        ("env: {A: ${{ params.x }}}", ("quote_expression", 1, 11)),
        ("a: 1\na: 2", ("duplicate_key", 2, 1)),
        ("a: !!python/object/apply:os.system [x]", ("yaml_tag", 1, 4)),
        ("a: !!set {x}", ("yaml_tag", 1, 4)),
        ("a: b\n---\nc: d", ("several_documents", 2, 1)),
        ("%YAML 1.1\n---\na: b", ("yaml_version", 2, 1)),
        ("a: *b", ("unknown_alias", 1, 4)),
        ("a: &b [*b]", ("recursive_alias", 1, 8)),
        ("a: .nan", ("not_finite", 1, 4)),
        ("a: -.inf", ("not_finite", 1, 4)),
        ("a: 1e999", ("not_finite", 1, 4)),
        ("a: 9223372036854775808", ("number_too_large", 1, 4)),
        ("a: " + "9" * 5000, ("number_too_large", 1, 4)),
        ("a: 0x" + "f" * 5000, ("number_too_large", 1, 4)),
        ("[a]: b", ("key_not_text", 1, 1)),
        ("a:\n  <<: 7", ("bad_merge", 2, 3)),
        ('a: "x\\0"', ("bad_character", 1, 4)),
        ("", ("empty", 1, 1)),
        ("# only this\n", ("empty", 1, 1)),
        ("\ufeffname: x", ("byte_order_mark", 1, 1)),
        ("name: x\non: a\x00b", ("bad_character", 2, 6)),
        (b"name: x\non: \xff", ("bad_encoding", 2, 5)),
        ("- a", ("not_a_mapping", 1, 1)),
        ("just text", ("not_a_mapping", 1, 1)),
    ],
)
def test_sources_that_are_no_yaml_of_ours(source: str | bytes, expected: tuple[str, int, int]) -> None:
    assert expected in found(source)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('{"a": 1,}', ("json_syntax", 1, 9)),
        ("{a: 1}", ("json_syntax", 1, 2)),
        ("# comment\n{}", ("json_syntax", 1, 1)),
        ("{'a': 1}", ("json_syntax", 1, 2)),
        ('{"a": 1,\n "a": 2}', ("duplicate_key", 2, 2)),
        ('{"a": NaN}', ("not_finite", 1, 7)),
        ('{"a":\n Infinity}', ("not_finite", 2, 2)),
        ('{"a": 1e999}', ("not_finite", 1, 7)),
        ('{"a": 18446744073709551616}', ("number_too_large", 1, 7)),
        ('{"a": "\\u0000"}', ("bad_character", 1, 7)),
        ('{"a": "\\ud800"}', ("bad_character", 1, 7)),
        ('{"\\ud800": 1}', ("bad_character", 1, 2)),
    ],
)
def test_sources_that_are_no_json(source: str, expected: tuple[str, int, int]) -> None:
    assert expected in found(source, "json")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ('name = "x"\nname = "y"\n\n', ("toml_syntax", 2, 11)),
        ("name = x", ("toml_syntax", 1, 8)),
        ('on = "all"\nname = "x', ("toml_syntax", 2, 1)),
        ('name = "x"\n[env]\nA = 1979-05-27', ("not_a_value", 3, 1)),
        ("[env]\nA = nan", ("not_finite", 2, 1)),
        ('[[steps]]\nname = "a"\n[[steps]]\nrnu = "b"', ("unknown_key", 4, 1)),
        ('text = """\n[[steps]]\n"""\n[[steps]]\nrnu = "b"', ("unknown_key", 5, 1)),
    ],
)
def test_sources_that_are_no_toml(source: str, expected: tuple[str, int, int]) -> None:
    assert expected in found(source, "toml")


@pytest.mark.parametrize(
    ("line", "code", "column"),
    [
        ("tmeout: 5s", "unknown_key", 5),
        ("rollout: {batches: [0]}", "bad_batches", 24),
        ("rollout: {batches: 5 *2 1}", "bad_batches", 24),
        ("rollout: {batchs: 1}", "unknown_key", 15),
        ("rollout: {max_failures: x}", "wrong_type", 29),
        ("rollout: {pause: soon}", "bad_duration", 22),
        ("rollout: {order: size}", "wrong_type", 22),
        ("rollout: {gate: {run: x, on_failure: continue}}", "key_of_no_gate", 30),
        ("rollout: {gate: {timeout: 1m}}", "no_command", 21),
        ("rollout: {pause: '${{ params.x }}'}", "bad_duration", 22),
        ("retry: 3", "wrong_type", 12),
        ("retry: {attempts: 0}", "wrong_type", 23),
        ("retry: {attempts: 2, backoff: .5}", "wrong_type", 35),
        ("retry: {attempts: 2, on: [skipped]}", "not_a_choice", 31),
        ("retry: {attempts: 2, dealy: 5s}", "unknown_key", 26),
        ("retry: {attempts: 2, on: [failed, lost]}", "unsafe_retry", 30),
        ("retry: {attempts: 2, on: [timed_out], exit_codes: [1]}", "exit_codes_unused", 43),
        ("on_disconnect: stop_after", "stop_after_missing", 20),
        ("stop_after: 59s", "stop_after_too_short", 17),
        ("lost_after: sometimes", "bad_duration", 17),
        ("on_failure: halt", "not_a_choice", 17),
        ("timeout: 10 minutes", "bad_duration", 14),
        ("timeout: -5", "bad_duration", 14),
        ("timeout: 400d", "bad_duration", 14),
        ("timeout: true", "bad_duration", 14),
        ("timeout: ''", "bad_duration", 14),
        ("env: [A]", "wrong_type", 10),
        ("env: {A: [1]}", "wrong_type", 14),
        ("env: {A-B: x}", "bad_variable_name", 11),
        ("env: {PLUMBER_STEP: x}", "reserved_variable", 11),
        ("uses: http", "two_commands", 5),
        ("with: {a: 1}", "with_without_uses", 5),
        ("shell: bash 'x", "bad_value", 12),
        ("on: role=", "bad_target", 9),
        ("on: []", "bad_target", 9),
        ("on: [1]", "wrong_type", 9),
        ("on: role=web and any 1 of db", "bad_target", 9),
        ("on: role=${{ agent.name }}", "not_here", 9),
        ("on: ${{ params.x }}", "unknown_parameter", 9),
        ("path: ${{ params.x }}", "unknown_parameter", 11),
        ("path: ${{ 1 + }}", "bad_expression", 11),
        ("path: ${{ nope }}", "unknown_variable", 11),
        ("path: ${{ now() }}", "unknown_function", 11),
        ("path: ${{ steps.a.outputs.x }}", "circular_reference", 11),
        ("path: ${{ steps.zzz.outputs.x }}", "unknown_step", 11),
        ("path: ${{ steps.a }}", "no_output", 11),
        ("path: ${{ steps[agent.name].outputs.x }}", "dynamic_step", 11),
        ("path: ${{ params", "unclosed_expression", 11),
        ("stdin: ${{ agent.name }}", "expression_not_allowed", 12),
    ],
)
def test_a_wrong_line_of_a_step(line: str, code: str, column: int) -> None:
    assert (code, 6, column) in found(step(line))


@pytest.mark.parametrize(
    ("source", "code"),
    [
        ("on: all\nsteps: [{name: a, run: b}]", "missing_key"),
        ("name: x\non: all", "missing_key"),
        ("name: x\non: all\nsteps: []", "no_steps"),
        ("name: x\non: all\nsteps: {a: b}", "wrong_type"),
        ("name: x\non: all\nsteps: [b]", "wrong_type"),
        ("name: x\nsteps: [{name: a, run: b}]", "no_target"),
        ("name: x\non: all\nsteps: [{name: a}]", "no_command"),
        ("name: x\non: all\nsteps: [{name: a, run: ' '}]", "no_command"),
        ("name: x\non: all\nsteps: [{run: b}]", "missing_key"),
        ("name: ' x'\non: all\nsteps: [{name: a, run: b}]", "bad_name"),
        ('name: "a\\nb"\non: all\nsteps: [{name: a, run: b}]', "bad_name"),
        ("name: x\non: all\nsteps: [{name: a, run: b}, {name: a, run: c}]", "duplicate_step"),
        ("name: x\non: all\nschedule: [a]\nsteps: [{name: a, run: b}]", "not_supported_yet"),
        ("name: x\non: all\nclean_environment: false\nsteps: [{name: a, run: b}]", "unknown_key"),
        ("name: x\non: all\nsteps: [{name: a, run: " + "b" * 100_001 + "}]", "too_long"),
        ("name: x\non: all\nenv: {A: '${{ steps.a.outputs.b }}'}\nsteps: [{name: a, run: b}]", "not_here"),
        (
            "name: x\non: all\nsteps: [{name: a, uses: script, with: {script: '${{ agent.name }}'}}]",
            "expression_in_command",
        ),
    ],
)
def test_a_wrong_task(source: str, code: str) -> None:
    assert code in [problem.code for problem in check_task(source)]


@pytest.mark.parametrize(
    ("parameter", "code"),
    [
        ("LD_PRELOAD: {}", "reserved_parameter"),
        ("PYTHONPATH: {}", "reserved_parameter"),
        ("PATH: {}", "reserved_parameter"),
        ("BASH_ENV: {}", "reserved_parameter"),
        ("IFS: {}", "reserved_parameter"),
        ("GIT_SSH_COMMAND: {}", "reserved_parameter"),
        ("DYLD_INSERT_LIBRARIES: {}", "reserved_parameter"),
        ("PLUMBER_OUTPUT: {}", "reserved_parameter"),
        ("plumber_x: {}", "reserved_parameter"),
        ("a-b: {}", "bad_parameter_name"),
        ("9a: {}", "bad_parameter_name"),
        ("x: {type: strng}", "not_a_choice"),
        ("x: {type: secret}", "not_supported_yet"),
        ("x: {requird: true}", "unknown_key"),
        ("x: {description: a comma, splits this}", "unknown_key"),
        ("x: {required: 'yes'}", "wrong_type"),
        ("x: text", "wrong_type"),
        ("x: {type: enum}", "missing_choices"),
        ("x: {type: enum, choices: [a, a]}", "duplicate_choice"),
        ("x: {type: int, choices: [a]}", "choices_without_enum"),
        ("x: {type: multi-enum}", "missing_choices"),
        ("x: {type: multi-enum, choices: [1, 2], default: [1, 3]}", "bad_default"),
        ("x: {type: target, default: 'role=('}", "bad_default"),
        ("x: {type: target, min: 1}", "range_without_size"),
        ("x: {type: enum, choices: [a], default: b}", "bad_default"),
        ("x: {type: int, default: 1.5}", "bad_default"),
        ("x: {type: int, min: 2, max: 1}", "empty_range"),
        ("x: {type: bool, min: 2}", "range_without_size"),
        ("x: {type: int, pattern: a}", "pattern_without_text"),
        ("x: {pattern: '('}", "bad_pattern"),
        ("x: {pattern: '(?=a)'}", "bad_pattern"),
        ("x: {pattern: '^v', default: w}", "bad_default"),
    ],
)
def test_a_wrong_parameter(parameter: str, code: str) -> None:
    source = f"name: x\non: all\nparams:\n  {parameter}\nsteps: [{{name: a, run: b}}]\n"
    assert [(problem.code, problem.line) for problem in check_task(source)] == [(code, 4)]


def test_the_nearest_right_name_is_told() -> None:
    problem = only(step("tmeout: 5s"))
    assert problem.nearest == "timeout"
    assert problem.path == "steps[0].tmeout"
    assert problem.message == "A step has no key tmeout. Did you mean timeout?"
    assert problem.arguments == {"key": "tmeout", "where": "A step"}
    assert only(step("on_failure: continu")).nearest == "continue"
    assert only(f"{HEAD}{STEP}  - name: b\n    run: c\n    path: ${{{{ steps.aa.outputs.k }}}}\n").nearest == "a"


def test_an_expression_in_a_command_says_how_to_write_it() -> None:
    source = "name: x\non: all\nparams: {v: {}}\nsteps:\n  - name: a\n    run: echo ${{ params.v }}\n"
    problem = only(source)
    assert (problem.code, problem.line) == ("parameter_in_command", 6)
    assert '"$v"' in problem.message
    other = only(step("path: /x").replace("run: b", "run: echo ${{ agent.name }}"))
    assert other.code == "expression_in_command"
    assert "VALUE: ${{ agent.name }}" in other.message


def test_all_problems_are_told_at_once_in_order() -> None:
    source = f"nmae: x\nschedule: 1\n{HEAD[8:]}{STEP}    timeout: never\n  - name: a\n    on: (\n"
    codes = [problem.code for problem in check_task(source)]
    assert codes == ["missing_key", "unknown_key", "not_supported_yet", "bad_duration", "no_command", "duplicate_step",
                     "bad_target"]  # fmt: skip
    with pytest.raises(ValidationFailed) as caught:
        parse_task(source)
    assert caught.value.arguments["count"] == len(codes)
    assert Problem(**caught.value.arguments["problems"][1]).line == 1


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("{name: b, steps: []}", [("empty_block", 22)]),
        ("{name: b, steps: [{name: c, run: x, on: all}]}", [("key_of_block", 41)]),
        ("{name: b, steps: [{name: c, steps: [{name: d, run: x}]}]}", [("nested_block", 33)]),
        ("{name: b, timeout: 1m, steps: [{name: c, run: x}]}", [("key_of_inner", 15)]),
        ("{name: b, run: x, steps: [{name: c, run: x}]}", [("key_of_inner", 15)]),
        ("{name: b, steps: [{name: b, run: x}]}", [("duplicate_step", 30)]),
        ("{name: b, steps: [{name: c}]}", [("no_command", 23)]),
        ("{name: b, steps: [{name: c, rn: x}]}", [("unknown_key", 33), ("no_command", 23)]),
        ("{name: b, steps: [{name: c, run: x, needs: [a]}]}", [("key_of_block", 41)]),
        ("{name: b, on: any 1 of all, steps: [{name: c, run: x}]}", [("bad_target", 19)]),
        ("{name: b, on: any 2 of all, run: x, rollout: {batches: 1}}", [("bad_target", 19)]),
        ("{name: b, rollout: {gate: {run: x, on: '('}}, run: x}", [("bad_target", 44)]),
        ("{name: b, rollout: {gate: {run: x, steps: []}}, run: x}", [("key_of_no_gate", 40)]),
        (
            "{name: b, steps: [{name: c, run: x, path: '${{ steps.d.outputs.k }}'}, {name: d, run: x}]}",
            [("circular_reference", 47)],
        ),
        ("{name: b, steps: [{name: c, run: 'x ${{ params.p }}'}]}", [("parameter_in_command", 38)]),
    ],
)
def test_what_is_wrong_with_a_block(block: str, expected: list[tuple[str, int]]) -> None:
    problems = check_task(f"{HEAD}  - {block}\n")
    assert sorted((problem.code, problem.column) for problem in problems) == sorted(expected)
    assert {problem.line for problem in problems} == {4}


def test_a_block_and_its_gate_are_read_like_steps() -> None:
    source = f"""{HEAD}  - name: block
    env: {{PORT: 80}}
    rollout: {{batches: [1, 10%], max_failures: 2%, pause: 90, gate: {{run: 5, env: {{A: 1}}, grace: }}, order: random}}
    steps:
      - {{name: x, run: 1.10, path: 5}}
      - {{name: y, run: y, env: {{B: '${{{{ steps.x.outputs.k }}}}'}}, timeout: }}
"""
    assert parse_task(source).definition["steps"] == [
        {
            "name": "block",
            "env": {"PORT": "80"},
            "rollout": {
                "batches": [1, "10%"],
                "max_failures": "2%",
                "pause": 90.0,
                "gate": {"run": "5", "env": {"A": "1"}},
                "order": "random",
            },
            "steps": [
                {"name": "x", "run": "1.10", "path": "5"},
                {"name": "y", "run": "y", "env": {"B": "${{ steps.x.outputs.k }}"}},
            ],
        }
    ]


def test_a_hostile_file_gets_a_limited_answer() -> None:
    source = HEAD + "".join(f"  - k{index}: 1\n" for index in range(2000))
    assert len(check_task(source)) == 200


KINDS = {
    "http": {"properties": {"url": {}, "expect": {}}, "required": ["url"]},
    "anything": {"additionalProperties": True},
}


@pytest.mark.parametrize(
    ("step", "code", "column", "nearest"),
    [
        ("{name: a, uses: htp, with: {url: x}}", "unknown_executor", 25, "http"),
        ("{name: a, uses: mars}", "unknown_executor", 25, None),
        ("{name: a, uses: http, with: {url: x, expct: 1}}", "unknown_with", 46, "expect"),
        ("{name: a, uses: http, with: {expect: 200}}", "missing_with", 25, None),
        ("{name: a, uses: http}", "missing_with", 25, None),
    ],
)
def test_what_a_step_uses_is_known_and_gets_its_parameters(
    step: str, code: str, column: int, nearest: str | None
) -> None:
    source = f"name: t\non: all\nsteps: [{step}]\n"
    [problem] = check_task(source, kinds=KINDS)
    assert (problem.code, problem.line, problem.column, problem.nearest) == (code, 3, column, nearest)
    assert check_task(source) == []


def test_steps_of_blocks_and_gates_are_looked_at_too() -> None:
    source = """\
name: t
on: all
steps:
  - name: out
    rollout: {batches: [1], gate: {name: ok, uses: htp}}
    steps:
      - {name: a, uses: mars}
      - {name: b, uses: anything, with: {whatever: 1}}
      - {name: c, run: "true"}
"""
    assert [(problem.line, problem.code) for problem in check_task(source, kinds=KINDS)] == [
        (5, "unknown_executor"),
        (7, "unknown_executor"),
    ]
