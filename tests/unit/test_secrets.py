"""Secrets as pure rules: what a task may say, what an agent gets, what is hidden and in which forms."""

from __future__ import annotations

import base64
import json
import random
import shlex
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumber_core.model.agent import AgentRef
from plumber_core.model.limits import MAX_OUTPUT_VALUES
from plumber_core.planning.expand import expand
from plumber_core.planning.parse import check_task, parse_task
from plumber_core.planning.render import render_step
from plumber_core.protocol.codec import from_json, to_json
from plumber_core.protocol.messages import StepSpec
from plumber_core.runner.hiding import LARGEST_OUTPUT
from plumber_core.runner.masks import MASK, Masks
from plumber_core.runner.needles import SHORTEST, needles_of
from plumber_core.runner.secret_values import filled_in

SECRET = 'korrekt "pferd"\tbatterie/1'


def _hidden(text: bytes, *values: str) -> bytes:
    return Masks(needles_of(values)).of_whole(text)


@pytest.mark.parametrize("before", ["", "x", "yy"])
@pytest.mark.parametrize(
    "form",
    [
        lambda text: text,
        lambda text: json.dumps({"password": text}),
        lambda text: shlex.quote(text),
        lambda text: quote(text, safe=""),
        lambda text: quote(text).replace("%2C", "%2c"),
        lambda text: quote_plus(text),
        lambda text: text.encode().hex(),
    ],
)
def test_a_secret_is_hidden_as_programs_write_it(form: Any, before: str) -> None:
    shown = _hidden((before + form(SECRET)).encode(), SECRET)
    assert MASK in shown and b"pferd" not in shown and b"70666572" not in shown


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("before", [b"", b"x", b"yy"])
def test_a_secret_is_hidden_inside_of_base64(encode: Any, before: bytes) -> None:
    text = encode(before + SECRET.encode() + b"and more")
    shown = _hidden(text, SECRET)
    assert MASK in shown and encode(SECRET.encode())[4:20] not in shown


def test_each_line_of_a_key_is_hidden_and_what_is_short_is_not() -> None:
    key = "-----BEGIN KEY-----\n  abcdefgh12345  \n-----END KEY-----\n"
    assert _hidden(b"log: abcdefgh12345!", key) == b"log: [MASKED]!"
    assert needles_of(["a" * (SHORTEST - 1)]) == []
    assert _hidden(b"plain text", "plain") == b"plain text"


@settings(max_examples=60, deadline=None)
@given(
    needles=st.lists(st.text("ab", min_size=2, max_size=6).map(str.encode), min_size=1, max_size=4),
    text=st.text("abc", max_size=60).map(str.encode),
    seed=st.integers(0, 1000),
)
def test_however_output_is_cut_into_pieces_the_same_is_shown(needles: list[bytes], text: bytes, seed: int) -> None:
    whole, pieces, chance = Masks(needles).of_whole(text), Masks(needles), random.Random(seed)
    shown, rest = b"", text
    while rest:
        size = chance.randint(1, 5)
        shown += pieces.feed(1, rest[:size])
        rest = rest[size:]
    shown += pieces.rest(1)
    assert shown == whole
    assert not any(needle in part for part in shown.split(MASK) for needle in needles)
    assert Masks([b"zzz"]).of_whole(text) == text


def test_what_is_masked_stays_so_while_all_of_it_may_begin_another_one() -> None:
    masks = Masks([b"ab", b"bcde"])
    assert [masks.feed(1, part) for part in (b"ab", b"c", b"x")] == [b"[MASKED]", b"", b"cx"]


def test_streams_are_held_back_apart_and_only_what_may_be_a_beginning() -> None:
    masks = Masks([b"secret"])
    assert masks.feed(1, b"password: ") == b"password: "
    assert (masks.feed(1, b"se"), masks.feed(2, b"cret"), masks.feed(1, b"cret!")) == (b"", b"cret", b"[MASKED]!")
    assert (masks.feed(1, b"sec"), masks.rest(1)) == (b"", b"sec")


def test_the_supervisor_takes_secrets_out_of_all_that_can_be_handed_on() -> None:
    assert LARGEST_OUTPUT == MAX_OUTPUT_VALUES


TASK = """
name: t
on: one
params: {host: {type: string}}
steps:
  - name: call
    uses: http
    secrets: {TOKEN: 'file:token', USER: 'file:both#user'}
    with:
      url: https://${{ params.host }}/x
      headers: {Authorization: 'Basic ${{ secrets.USER }}:${{ secrets.TOKEN }}', X: ['${{ secrets.TOKEN }}']}
"""


def _spec(host: str) -> StepSpec:
    plan = expand(parse_task(TASK).task, {"host": host}, [AgentRef("1", "one")])
    return render_step(plan, 0, "1", "e", {})


def test_an_agent_gets_references_and_where_they_stand() -> None:
    spec = _spec("shop")
    assert spec.params["headers"] == {"Authorization": "Basic ***:***", "X": ["***"]}
    assert from_json(StepSpec, json.loads(json.dumps(to_json(spec)))) == spec
    assert spec.secrets is not None and spec.secrets["env"] == {"TOKEN": "file:token", "USER": "file:both#user"}
    filled = filled_in(spec.params, spec.secrets["with"], {"TOKEN": "t", "USER": "u"})
    assert filled["headers"] == {"Authorization": "Basic u:t", "X": ["t"]}


def test_a_parameter_that_looks_like_a_secret_stays_text() -> None:
    for value in ("${{ secrets.TOKEN }}", '{"secret": "TOKEN"}', "***"):
        spec = _spec(value)
        assert spec.secrets is not None and len(spec.secrets["with"]) == 2
        assert filled_in(spec.params, spec.secrets["with"], {"TOKEN": "t", "USER": "u"})["url"] == f"https://{value}/x"


@pytest.mark.parametrize(
    ("step", "code"),
    [
        ("run: x, secrets: {A: plain}", "bad_secret"),
        ("run: x, secrets: {A: 'file:'}", "bad_secret"),
        ("run: x, secrets: {'A B': 'file:a'}", "bad_variable_name"),
        ("run: x, secrets: {PLUMBER_X: 'file:a'}", "reserved_variable"),
        ("run: x, secrets: {A: 'file:a'}, env: {A: b}", "secret_and_variable"),
        ("run: x, secrets: {A: 'file:${{ params.p }}'}", "expression_not_allowed"),
        ("run: x, secrets: {A: 'file:a'}, env: {B: '${{ secrets.A }}'}", "not_here"),
        ("uses: http, secrets: {A: 'file:a'}, with: {url: '${{ secrets.B }}'}", "unknown_secret"),
        ("uses: http, secrets: {A: 'file:a'}, with: {url: '${{ secrets.A + \"x\" }}'}", "secret_not_alone"),
        ("uses: http, with: {url: '${{ secrets.A }}'}", "unknown_secret"),
    ],
)
def test_what_a_step_cannot_say_of_secrets(step: str, code: str) -> None:
    source = f"{{name: t, on: one, params: {{p: {{type: string}}}}, steps: [{{name: s, {step}}}]}}"
    assert code in [problem.code for problem in check_task(source)]
