"""Targets: who is meant, who never is, and where a wrong expression is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumber_core.errors import InvalidRequest, NotSupportedYet
from plumber_core.model.agent import AgentRef
from plumber_core.model.states import AgentState
from plumber_core.planning.targets import parse_target, resolve
from support.hangs import must_end

FLEET = [
    AgentRef("id-2", "web-2", labels={"role": "web"}, facts={"os": "linux", "arch": "arm64"}),
    AgentRef("id-1", "web-1", labels={"role": "web", "env": "prod"}, facts={"os": "linux"}),
    AgentRef("id-3", "db", AgentState.DRAINING, labels={"role": "db", "os": "labelled"}, facts={"os": "linux"}),
    AgentRef("id-4", "数据库"),
    AgentRef("id-5", "all", labels={"role": "a b"}),
    AgentRef("id-6", "web-off", AgentState.DISABLED, labels={"role": "web"}),
    AgentRef("id-7", "web-gone", AgentState.REVOKED, labels={"role": "web"}),
]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("all", ["all", "db", "web-1", "web-2", "数据库"]),
        ("web-1", ["web-1"]),
        ("id-2", ["web-2"]),
        ("数据库", ["数据库"]),
        ("web-*", ["web-1", "web-2"]),
        ("web-?", ["web-1", "web-2"]),
        ("'web-*'", []),
        ("id-*", []),
        ("'all'", ["all"]),
        ("name=all", ["all"]),
        ("id = id-1", ["web-1"]),
        ("role=web", ["web-1", "web-2"]),
        ("role==web", ["web-1", "web-2"]),
        ("role=w*", ["web-1", "web-2"]),
        ('role="a b"', ["all"]),
        ("role!=web", ["all", "db", "数据库"]),
        ("role in (web, db)", ["db", "web-1", "web-2"]),
        ("role not in (web, 'a b')", ["db", "数据库"]),
        ("os=linux", ["web-1", "web-2"]),
        ("os=labelled", ["db"]),
        ("arch=arm64 and role=web", ["web-2"]),
        ("not role=web and not db", ["all", "数据库"]),
        ("not not db", ["db"]),
        ("role=web and env=prod or db", ["db", "web-1"]),
        ("role=web and (env=prod or db)", ["web-1"]),
        ("db or role=web and env=prod", ["db", "web-1"]),
        ("nobody", []),
        ("any", []),
        ("web-off", []),
        ("web-gone or id-7", []),
        ("role=[w]eb", []),
    ],
)
def test_who_is_meant(expression: str, names: list[str]) -> None:
    assert [agent.name for agent in resolve(expression, FLEET)] == names


def test_a_list_holds_names_ids_and_patterns_never_expressions() -> None:
    assert [agent.name for agent in resolve(["web-1", "id-2", "d?"], FLEET)] == ["db", "web-1", "web-2"]
    assert resolve(["role=web", "web-1 or web-2"], FLEET) == []
    assert [agent.name for agent in resolve(["all"], FLEET)] == ["all"]
    assert resolve([], FLEET) == []


@pytest.mark.parametrize(
    ("expression", "column", "says"),
    [
        ("", 1, "found the end"),
        ("   ", 4, "found the end"),
        ("role=", 6, "expected a value"),
        ("role=web and", 13, "found the end"),
        ("(role=web", 10, "expected )"),
        ("role=web)", 9, "found )"),
        ("web-1 web-2", 7, "found web-2"),
        ("web-1, web-2", 6, "write or"),
        ("a && b", 3, "write and"),
        ("a || b", 3, "write or"),
        ("!a", 1, "write not"),
        ("role in web", 9, "expected ("),
        ("role in ()", 10, "expected a value"),
        ("role not web", 10, "expected in"),
        ("and", 1, "found and"),
        ("role='web", 6, "quote is not closed"),
        ("a < b", 3, "found <"),
        ("(" * 60 + "a" + ")" * 60, 52, "too deeply"),
        ("not " * 60 + "a", 205, "too deeply"),
    ],
)
def test_where_an_expression_is_wrong(expression: str, column: int, says: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_target(expression)
    assert caught.value.arguments["field"] == "on"
    assert caught.value.arguments["column"] == column
    assert caught.value.arguments["reason"].startswith(f"column {column}: ")
    assert says in caught.value.arguments["reason"]


@pytest.mark.parametrize("expression", ["any 1 of role=web", "role=web and any 2 of db", "any of role=web"])
def test_a_pool_is_not_supported_yet(expression: str) -> None:
    with pytest.raises(NotSupportedYet):
        parse_target(expression)


def test_an_expression_can_only_be_so_long() -> None:
    with pytest.raises(InvalidRequest, match="4000"):
        parse_target("a or " * 1000 + "a")


def test_no_pattern_takes_for_ever() -> None:
    agent = AgentRef("x", "a" * 100)
    with must_end():
        assert resolve("a*" * 1500 + "b", [agent]) == []


_words = st.sampled_from(
    [
        "all",
        "web-1",
        "web-*",
        "role",
        "=",
        "!=",
        "in",
        "not",
        "and",
        "or",
        "(",
        ")",
        ",",
        "'a b'",
        '"',
        "any",
        "1",
        "of",
    ]
)


@settings(max_examples=400, deadline=None)
@given(st.text(max_size=40) | st.lists(_words, max_size=15).map(" ".join))
def test_no_text_makes_it_raise_anything_else(expression: str) -> None:
    try:
        target = parse_target(expression)
    except InvalidRequest:
        return
    assert all(target.matches(agent) in (True, False) for agent in FLEET)


_atoms = st.sampled_from(["all", "web-1", "role=web", "role!=web", "env in (prod)", "nobody"])


@settings(max_examples=100, deadline=None)
@given(_atoms, _atoms, _atoms)
def test_and_or_not_are_what_sets_say(a: str, b: str, c: str) -> None:
    def names(expression: str) -> set[str]:
        return {agent.name for agent in resolve(expression, FLEET)}

    assert names(f"{a} and {b}") == names(a) & names(b)
    assert names(f"{a} or {b} and {c}") == names(a) | names(b) & names(c)
    assert names(f"not ({a} or {b})") == names("all") - names(a) - names(b)
