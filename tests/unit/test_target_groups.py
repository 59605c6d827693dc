"""Saved groups: opened wherever they stand, and refused when they lead nowhere, into a circle or out of all bounds."""

from __future__ import annotations

import pytest

from plumber_core.errors import InvalidRequest
from plumber_core.model.agent import AgentRef
from plumber_core.planning.target_explain import near_misses, unknown_words, why_nobody
from plumber_core.planning.targets import Groups, Roll, bound, parse_aim, parse_target, select

GROUPS = {
    "web": "role=web",
    "prod": "env=prod or env=stage",
    "web-prod": "group:web and group:prod",
    "欧洲": "region=eu*",
    "one": "group:two",
    "two": "group:one",
}
FLEET = Roll(
    [
        AgentRef("id-1", "web-1", labels={"role": "web", "env": "prod", "region": "eu-1"}),
        AgentRef("id-2", "web-2", labels={"role": "web", "env": "test"}),
        AgentRef("id-3", "db-1", labels={"role": "db", "env": "stage"}),
        AgentRef("id-4", "group:web", labels={"role": "none"}),
    ],
    Groups(GROUPS),
)


def refusal(expression: str) -> dict[str, object]:
    with pytest.raises(InvalidRequest) as caught:
        select(parse_target(expression), FLEET)
    return {"code": caught.value.arguments["because"]["code"], **caught.value.arguments["because"]["arguments"]}


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("group:web", ["web-1", "web-2"]),
        ("group:web-prod", ["web-1"]),
        ("not group:web", ["db-1", "group:web"]),
        ("group:prod and not group:web or web-2", ["db-1", "web-2"]),
        ("(group:欧洲)", ["web-1"]),
        ("'group:web'", ["group:web"]),
    ],
)
def test_groups_mean_their_expressions_wherever_they_stand(expression: str, names: list[str]) -> None:
    assert [agent.name for agent in select(parse_target(expression), FLEET)] == names
    assert parse_target(str(parse_target(expression))) == parse_target(expression)


def test_a_pool_may_be_of_a_group() -> None:
    aim = parse_aim("any 1 of group:web")
    assert (aim.any_of, str(aim)) == (1, "any 1 of group:web")
    assert len(select(aim.who, FLEET)) == 2


def test_what_cannot_be_opened_is_refused_with_the_nearest_name() -> None:
    assert refusal("group:wep") == {"code": "group_nearest", "name": "wep", "nearest": "web"}
    assert refusal("all and group:mars") == {"code": "group_unknown", "name": "mars"}
    assert refusal("group:") == {"code": "group_unknown", "name": ""}
    assert refusal("group:one") == {"code": "group_circle", "path": "one > two > one"}
    with pytest.raises(InvalidRequest, match="no group web"):
        select(parse_target("group:web"), [AgentRef("id-1", "web-1")])


def test_groups_of_groups_cannot_grow_without_bounds() -> None:
    doubled = {f"g{n}": f"group:g{n - 1} or group:g{n - 1}" for n in range(1, 40)} | {"g0": "nobody"}
    with pytest.raises(InvalidRequest) as caught:
        Groups(doubled).bind(parse_target("group:g39"))
    assert caught.value.arguments["because"]["code"] == "group_too_large"


@pytest.mark.parametrize(
    ("name", "expression", "code"),
    [
        ("a b", "all", "bad_group_name"),
        ("", "all", "bad_group_name"),
        ("-x", "all", "bad_group_name"),
        ("x" * 64, "all", "bad_group_name"),
        ("new", "any 1 of all", "group_pool"),
        ("new", "group:new", "group_circle"),
        ("web", "role=web or group:web-prod", "group_circle"),
        ("new", "group:wep", "group_nearest"),
        ("new", "role=(", "target_syntax"),
    ],
)
def test_a_group_is_checked_before_it_is_saved(name: str, expression: str, code: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        FLEET.groups.check(name, expression)
    assert caught.value.arguments["because"]["code"] == code


def test_explanations_speak_of_what_the_groups_ask_for() -> None:
    target = bound(parse_target("group:web-prod and region=us"), FLEET)
    [near, *_] = near_misses(target, FLEET, 3)
    assert (near.agent.name, [failed.term for failed in near.failed]) == ("web-1", ["region=us"])
    assert [one.word for one in unknown_words(target, FLEET)] == ["region=us"]
    assert why_nobody(bound(parse_target("group:web and env=stage"), FLEET), FLEET).code == "target_near"


def test_who_uses_a_group_is_known() -> None:
    assert FLEET.groups.using("web") == ["web-prod"]
    assert FLEET.groups.using("web-prod") == []
