"""Everything that people read exists in Chinese."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from plumber_core.errors import NotFound, Unreachable
from plumber_core.locales import preferred_language, translate
from plumber_core.model.states import AgentState, ExecutionState, Presence, StepState
from plumber_core.terminal.words import look

TOOLS = Path(__file__).parents[2] / "tools"


@pytest.fixture(scope="module")
def messages() -> ModuleType:
    spec = importlib.util.spec_from_file_location("messages", TOOLS / "messages.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_the_catalogue_is_complete_translated_and_compiled(messages: ModuleType) -> None:
    assert messages.problems() == [], "run tools/messages.py and translate what it lists"


def test_the_tool_finds_each_kind_of_sentence(messages: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "sample.py").write_text(
        'a = _("one")\nb = N_("two")\nclass E(X):\n    message = "three"\n    hint: str = "four"\n'
        'raise E(reason="five", kind="six", field="no")\nRULES: M = {"code": "seven" " eight"}\n_(f"no {a}")\n'
    )
    assert messages.sentences(tmp_path) == {"one", "two", "three", "four", "five", "six", "seven eight"}


@pytest.mark.parametrize("state", [*StepState, *ExecutionState, *AgentState, *Presence])
def test_every_state_has_a_symbol_and_a_word_in_both_languages(state: StepState) -> None:
    symbol, _, word = look(state)
    assert len(symbol) == 1
    assert translate(word, "zh") != word


def test_an_error_speaks_chinese_with_its_arguments() -> None:
    assert "deploy" in NotFound(kind="task", name="deploy").explain("zh")
    assert "任务" in NotFound(kind="task", name="deploy").explain("zh")
    error = Unreachable(url="http://s", reason="Connection refused")
    assert "http://s" in error.explain("zh")
    assert error.advise("zh") != error.advise("en")


@pytest.mark.parametrize(
    ("environment", "language"),
    [
        ({"LANG": "zh_CN.UTF-8"}, "zh"),
        ({"LANG": "zh_CN.UTF-8", "LC_ALL": "C"}, "en"),
        ({}, "en"),
        ({"LANG": "de"}, "en"),
    ],
)
def test_the_language_follows_the_environment(environment: dict[str, str], language: str) -> None:
    assert preferred_language(environment) == language
