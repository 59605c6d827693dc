"""Targets: who is meant, who never is, and where a wrong expression is wrong."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from plumber_core.errors import InvalidRequest
from plumber_core.model.agent import AgentRef
from plumber_core.model.states import AgentState
from plumber_core.planning.target_explain import Unknown, near_misses, unknown_words, why_nobody
from plumber_core.planning.target_terms import Target
from plumber_core.planning.targets import Roll, parse_aim, parse_target, resolve, select

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


HOSTS = [
    AgentRef(
        "1", "a", labels={"canary": "true", "cores": "2"}, facts={"cpus": "4", "memory": "7900M", "kernel": "5.9.1"}
    ),
    AgentRef(
        "2", "b", labels={"canary": "false"}, facts={"cpus": "16", "memory": "64G", "kernel": "5.15.0-91-generic"}
    ),
    AgentRef(
        "3", "c", labels={"kernel": "custom"}, facts={"cpus": "08", "version": "0.10.2+agent.1a", "ip": "10.0.1.7"}
    ),
]


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("canary", ["a"]),
        ("not canary", ["b", "c"]),
        ("'canary'", []),
        ("cpus", []),
        ("cpus>=8", ["b", "c"]),
        ("cpu<8", ["a"]),
        ("cpus > 4 and cpus < 10", ["c"]),
        ("cpus<=4 or cpus>=16", ["a", "b"]),
        ("memory>=8G", ["b"]),
        ("memory<8GiB", ["a"]),
        ("memory>8000M", ["b"]),
        ("kernel>=5.10", ["b"]),
        ("kernel<5.10", ["a"]),
        ("version>=0.10.2", ["c"]),
        ("version<v0.9", []),
        ("not version>=0.10", ["a", "b"]),
        ("cores>1", ["a"]),
        ("ip=10.0.1.*", ["c"]),
        ("cpus=0*", ["c"]),
        ("a or (cpus>8 and not canary)", ["a", "b"]),
    ],
)
def test_labels_can_be_there_and_facts_can_be_compared(expression: str, names: list[str]) -> None:
    assert [agent.name for agent in resolve(expression, HOSTS)] == names


def _misses(expression: str, agents: list[AgentRef] = FLEET) -> dict[str, list[tuple[str, str | None]]]:
    found = near_misses(parse_target(expression), agents, 10)
    return {near.agent.name: [(failed.term, failed.value) for failed in near.failed] for near in found}


def test_who_nearly_matches_and_by_what_it_fails() -> None:
    misses = _misses("role=web and env in (prod, stage) and not web-2 and os=linux", FLEET[:4])
    assert misses == {
        "web-2": [("env in (prod, stage)", None), ("not web-2", "web-2")],
        "db": [("role=web", "db"), ("env in (prod, stage)", None), ("os=linux", "labelled")],
        "数据库": [("role=web", None), ("env in (prod, stage)", None), ("os=linux", None)],
    }
    assert list(misses) == ["web-2", "db", "数据库"]


def test_a_miss_is_told_by_the_easier_half_of_an_or() -> None:
    assert _misses("(role=db and env=prod and os=x) or role!=web", [FLEET[1]]) == {"web-1": [("role!=web", "web")]}
    assert _misses("canary and cpus>=8", HOSTS[1:2]) == {"b": [("canary", "b")]}
    assert _misses("not canary", HOSTS[:1]) == {"a": [("not canary", "true")]}


@pytest.mark.parametrize(
    ("expression", "unknown"),
    [
        ("rolle=web", [Unknown("rolle", "role")]),
        ("role=wbe and not env=prod", [Unknown("role=wbe", "role=web")]),
        ("web_1", [Unknown("web_1", "web-1")]),
        ("role in (web, xyz) or zzzzz", [Unknown("role=xyz", None), Unknown("zzzzz", None)]),
        ("memry>2", [Unknown("memry", None)]),
        ("web-* and role=w*", []),
    ],
)
def test_words_that_nobody_answers_to_are_named_with_the_nearest(expression: str, unknown: list[Unknown]) -> None:
    assert unknown_words(parse_target(expression), FLEET) == unknown


def test_why_nobody_matches_is_the_likeliest_reason() -> None:
    def why(expression: str, agents: list[AgentRef] = FLEET) -> str:
        return why_nobody(parse_target(expression), agents).code

    assert why("rolle=web") == "target_nearest"
    assert why("role=zzzzzz") == "target_unknown"
    assert why("role=web and arch=arm64 and env=prod") == "target_near"
    assert why("web-off") == "target_disabled"
    assert why("all", []) == "target_no_agents"


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
        ("cpus < many", 8, "expected a number, a size or a version, found many"),
        ("cpus >=", 8, "found the end"),
        ("cpus > = 2", 8, "found ="),
        ("role=web adn env=prod", 10, "write and"),
        ("role=web AND env=prod", 10, "write and"),
        ("role nto in (web)", 6, "found nto"),
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


def test_a_pool_is_whoever_of_them_is_free() -> None:
    aim = parse_aim("any 2 of role=web or db")
    assert (aim.any_of, aim.who) == (2, parse_target("role=web or db"))
    assert parse_aim("role=web").any_of == 0
    assert parse_aim("any").who == parse_target("any")


@pytest.mark.parametrize(
    ("expression", "column"),
    [("any of role=web", 5), ("any 0 of web", 5), ("any 1001 of web", 5), ("role=web and any 2 of db", 14)],
)
def test_a_pool_stands_at_the_beginning_with_a_number(expression: str, column: int) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_aim(expression)
    assert caught.value.arguments["column"] == column


def test_an_expression_can_only_be_so_long() -> None:
    with pytest.raises(InvalidRequest, match="4000"):
        parse_target("a or " * 1000 + "a")


@pytest.mark.timeout(120)
def test_no_pattern_takes_for_ever() -> None:
    assert resolve("a*" * 1500 + "b", [AgentRef("x", "a" * 100)]) == []


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


_atoms = st.sampled_from(
    ["all", "web-1", "role=web", "role!=web", "env in (prod)", "nobody", "os not in (linux, 'a b')", "cpus>=2", "'all'"]
)
_trees = st.recursive(
    _atoms,
    lambda inner: (
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda parts: f"({' '.join(parts)})")
        | inner.map(lambda text: f"not {text}")
    ),
    max_leaves=6,
)


@settings(max_examples=200, deadline=None)
@given(_trees)
def test_a_target_written_out_again_means_the_same_and_who_fails_nothing_matches(expression: str) -> None:
    target = parse_target(expression)
    again = parse_target(str(target))
    for agent in FLEET:
        assert target.matches(agent) == again.matches(agent) == (not target.failures(agent))


@settings(max_examples=100, deadline=None)
@given(_atoms, _atoms, _atoms)
def test_and_or_not_are_what_sets_say(a: str, b: str, c: str) -> None:
    def names(expression: str) -> set[str]:
        return {agent.name for agent in resolve(expression, FLEET)}

    assert names(f"{a} and {b}") == names(a) & names(b)
    assert names(f"{a} or {b} and {c}") == names(a) | names(b) & names(c)
    assert names(f"not ({a} or {b})") == names("all") - names(a) - names(b)


class Counted(Target):
    """Means everybody, and counts how often it was asked."""

    asked = 0

    def matches(self, agent: AgentRef) -> bool:
        self.asked += 1
        return True


def test_a_roll_is_looked_through_once_for_each_target() -> None:
    everybody = [AgentRef("2", "b"), AgentRef("1", "a"), AgentRef("3", "c", AgentState.REVOKED)]
    roll, target = Roll(everybody), Counted()
    first = select(target, roll)
    assert first == select(Counted(), everybody) == everybody[1::-1]
    first.clear()
    assert select(target, roll) == everybody[1::-1]
    assert target.asked == 2
    for number in range(2 * Roll.KEPT):
        select(parse_target(f"host-{number}"), roll)
    assert len(roll._meant) <= Roll.KEPT
