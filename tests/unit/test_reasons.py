"""Reasons of refusals: a code with arguments, said in the language of whoever reads it."""

from __future__ import annotations

import ast
import json
import pickle
import string
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from plumber_client import Client
from plumber_core.errors import Conflict, InvalidRequest
from plumber_core.locales import translate
from plumber_core.reasons import REASONS, because
from plumber_server.errors import problem

_SOURCES = Path(__file__).parents[2] / "src"
_SLOTS = InvalidRequest(field="slots", reason=because("between", least=1, most=1000))


def _calls(name: str) -> Iterator[tuple[str, ast.Call]]:
    for path in _SOURCES.glob("plumber_*/**/*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) == name:
                yield f"{path.name}:{node.lineno}", node


def test_every_reason_is_given_somewhere_with_the_arguments_of_its_sentence() -> None:
    given = {
        call.args[0].value: (where, {keyword.arg for keyword in call.keywords if keyword.arg})
        for where, call in [*_calls("because"), *_calls("_error")]
        if call.args and isinstance(call.args[0], ast.Constant)
    }
    wanted = {
        code: {name for _, name, _, _ in string.Formatter().parse(text) if name} for code, text in REASONS.items()
    }
    assert set(given) - {"bad_value"} == set(REASONS)
    # The parser of targets adds the column.
    assert {code: given[code] for code in wanted if given[code][1] | {"column"} != wanted[code] | {"column"}} == {}


def test_no_error_pastes_values_into_an_english_sentence_that_people_of_the_page_read() -> None:
    """Texts for programs, for the original's users, and for who copies a database in a terminal may."""
    allowed = {"strict_json.py", "jsonrpc.py", "schemas.py", "original_people.py", "original_toml.py", "agents.py"}
    allowed |= {"executor_host.py", "__init__.py", "postgres_dump.py", "sqlite_file.py"}
    pasted = [
        where
        for name in ("InvalidRequest", "Conflict")
        for where, call in _calls(name)
        for keyword in call.keywords
        if keyword.arg == "reason" and isinstance(keyword.value, ast.JoinedStr)
    ]
    assert [where for where in pasted if where.partition(":")[0] not in allowed] == []


def test_it_is_said_in_both_languages() -> None:
    assert _SLOTS.explain("en") == "slots: it must be from 1 to 1000."
    assert _SLOTS.explain("zh") == "slots：须在 1 到 1000 之间。"
    assert not [code for code, text in REASONS.items() if translate(text, "zh") == text]


def test_it_crosses_the_api_as_text_and_as_a_code_with_arguments() -> None:
    told = json.loads(json.dumps(problem(_SLOTS, "zh").document()))
    assert told["detail"] == "slots：须在 1 到 1000 之间。"
    assert told["arguments"] == {
        "field": "slots",
        "reason": "it must be from 1 to 1000",
        "because": {"code": "between", "arguments": {"least": 1, "most": 1000}},
    }


def test_a_client_says_it_in_its_own_language() -> None:
    body = problem(_SLOTS).document()
    transport = httpx.MockTransport(lambda request: httpx.Response(400, json=body))
    with Client("http://server", transport=transport) as client, pytest.raises(InvalidRequest) as refused:
        client.agents.show(agent="x")
    assert refused.value.explain("zh") == "slots：须在 1 到 1000 之间。"
    assert str(refused.value) == "slots: it must be from 1 to 1000."


@pytest.mark.parametrize("strange", [{"code": "moon", "arguments": {}}, {"code": "between"}, "because", 7, None, {}])
def test_what_a_newer_server_says_stays_as_it_was_said(strange: Any) -> None:
    assert Conflict(reason="the moon is full", because=strange).explain("zh").startswith("the moon is full")


def test_an_error_can_be_sent_to_another_process() -> None:
    again = pickle.loads(pickle.dumps(_SLOTS))
    assert again.arguments == _SLOTS.arguments and again.explain("zh") == _SLOTS.explain("zh")
