"""The page knows the same states as the transition tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from plumber_core.model.states import (
    LIVE_STEP_STATES,
    TERMINAL_STEP_STATES,
    AgentState,
    ExecutionState,
    Presence,
    StepState,
)

SOURCES = Path(__file__).parents[2] / "src" / "plumber_web" / "frontend" / "src"


def _group(name: str) -> set[str]:
    found = re.search(rf"\b{name}: .*?new Set\(\[(.*?)\]\)", (SOURCES / "execution" / "states.ts").read_text())
    assert found is not None
    return set(re.findall(r"'(\w+)'", found[1]))


def test_the_groups_of_step_states_are_those_of_the_table() -> None:
    assert _group("ENDED") == {state.value for state in TERMINAL_STEP_STATES}
    assert _group("BUSY") == {state.value for state in LIVE_STEP_STATES}
    assert _group("BAD") == _group("ENDED") - {"succeeded", "cancelled", "skipped"}


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_every_state_has_a_word(language: str) -> None:
    words = json.loads((SOURCES / "locales" / language / "states.json").read_text())
    assert set(words) == {state.value for kind in (StepState, ExecutionState, AgentState, Presence) for state in kind}


def test_the_page_follows_every_event_of_a_step() -> None:
    listed = re.search(r"const STEP = \[(.*?)\]", (SOURCES / "api" / "events.ts").read_text())
    assert listed is not None
    assert set(re.findall(r"'(\w+)'", listed[1])) == {state.value for state in StepState} | {"late"}
