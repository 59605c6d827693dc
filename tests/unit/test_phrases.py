"""Words of ours inside of a sentence are said in the reader's language too."""

from __future__ import annotations

import pytest

from plumber_core.errors import InvalidRequest, TooLarge
from plumber_core.locales import translate
from plumber_core.model.task import Parameter
from plumber_core.planning.parameters import bind
from plumber_core.planning.parse import check_task
from plumber_core.planning.targets import parse_aim
from plumber_core.reasons import because, spoken
from plumber_core.terminal.language import language
from plumber_core.terminal.problems import problem_text

TASK = b"""\
name: odd
on: [3]
timeout: soon
params:
  n: {type: int, default: x}
  k: {type: list, choises: [a]}
steps:
  - {name: s, runn: "true"}
  - {name: t, run: [], retry: {attempts: 0}}
"""


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        (Parameter(required=True), None, "parameters.p：必填。"),
        (Parameter(type="int"), "x", "parameters.p：必须是整数。"),
        (Parameter(min=3), "ab", "parameters.p：不能少于 3 个字符。"),
        (Parameter(type="int", max=2.5), 3, "parameters.p：不能大于 2.5。"),
        (
            Parameter(type="enum", choices=("stage", "prod")),
            "pord",
            "parameters.p：必须是 stage, prod 之一（是不是 prod？）。",
        ),
    ],
)
def test_a_parameter_that_does_not_fit_is_refused_in_chinese(parameter: Parameter, value: object, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        bind({"p": parameter}, {"p": value})
    assert refused.value.explain("zh") == said


def test_a_problem_of_a_task_holds_no_english_in_chinese(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LANGUAGE", "zh")
    language.cache_clear()
    told = [problem_text(problem.model_dump(), "").plain for problem in check_task(TASK)]
    language.cache_clear()
    assert told and not [line for line in told if _english(line)], told


def _english(line: str) -> bool:
    words = "a A the must step Step parameter whole number such list text of is"
    return bool(set(words.split()) & set(line.split(": ", 1)[1].replace("：", " ").replace("。", " ").split()))


@pytest.mark.parametrize(
    ("expression", "said"),
    [
        ("role=", "on：第 6 列：应为 值，却已结束。"),
        ("role=web adn x", "on：第 10 列：应为 and、or 或表达式结束，却是 adn（请写 and）。"),
        ("not", "on：第 4 列：应为 名字、标签或 all，却已结束。"),
        ("cpus >= many", "on：第 9 列：应为 数字、大小或版本，却是 many。"),
        ("cpus >= =", "on：第 9 列：应为 数字、大小或版本，却是 =。"),
        ("any 0 of web", "on：第 5 列：应为 1 到 1000 之间的整数，却是 0。"),
        ("(web", "on：第 5 列：应为 )，却已结束。"),
    ],
)
def test_where_a_target_is_wrong_is_told_in_chinese(expression: str, said: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_aim(expression)
    assert refused.value.explain("zh") == said


def test_words_inside_of_words_are_said_too() -> None:
    reason = because("target_end", column=6, expected=because("expect_text"))
    assert InvalidRequest(field="on", reason=reason).explain("zh") == "on：第 6 列：应为 文本，却已结束。"
    assert str(InvalidRequest(field="on", reason=reason)) == "on: column 6: expected text, found the end."


def test_an_argument_that_is_a_word_is_said() -> None:
    error = TooLarge(field="body", actual=9, limit=8, unit=because("unit_bytes"))
    assert error.explain("zh") == "body 太大：9 字节，最多 8。"
    assert error.arguments["phrases"] == {"unit": {"code": "unit_bytes", "arguments": {}}}


def test_what_a_newer_server_says_is_not_guessed() -> None:
    assert spoken({"code": "moon", "arguments": {}}, "zh") is None
    assert translate("moon", "zh") == "moon"
