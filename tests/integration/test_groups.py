"""Saved groups through the control plane: kept, used by tasks, guarded against each other."""

from __future__ import annotations

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import Conflict, InvalidRequest, NotFound
from plumber_core.model.task import Step
from support.embedded import show, start

FLEET = {"web-1": {"role": "web", "env": "prod"}, "web-2": {"role": "web", "env": "test"}, "db-1": {"role": "db"}}


async def _fleet(plumber: Plumber) -> None:
    for name, labels in FLEET.items():
        await plumber.agents.create(name=name, labels=labels)
    await plumber.groups.save(name="web", expression="role=web", description="who serves pages")


async def _hosts(plumber: Plumber, on: str) -> list[str]:
    execution = await start(plumber, Step(name="one", run="1"), on=on)
    return sorted(step.host_name for step in (await show(plumber, execution)).steps)


async def test_a_group_is_kept_changed_listed_and_forgotten(plumber: Plumber) -> None:
    await _fleet(plumber)
    [group] = await plumber.groups.list()
    assert (group.name, group.expression, group.description, group.total) == ("web", "role=web", "who serves pages", 2)
    saved = await plumber.groups.save(name="web", expression="role=web and env=prod")
    assert (saved.total, saved.description) == (1, "")
    assert saved.updated_at > group.updated_at and saved.updated_by
    await plumber.groups.delete(name="web")
    assert await plumber.groups.list() == []
    with pytest.raises(NotFound):
        await plumber.groups.delete(name="web")


async def test_a_run_means_the_group_as_it_is_now(plumber: Plumber) -> None:
    await _fleet(plumber)
    assert await _hosts(plumber, "group:web") == ["web-1", "web-2"]
    await plumber.groups.save(name="web", expression="role=web and not env=test")
    assert await _hosts(plumber, "group:web or db-1") == ["db-1", "web-1"]


async def test_match_and_list_open_groups(plumber: Plumber) -> None:
    await _fleet(plumber)
    match = await plumber.agents.match(on="group:web and env=prod")
    assert match.names == ["web-1"]
    assert [(one.name, one.failed[0].term) for one in match.near[:1]] == [("web-2", "env=prod")]
    assert [agent.name for agent in (await plumber.agents.list(on="not group:web")).items] == ["db-1"]


async def test_what_would_lead_nowhere_is_refused_and_changes_nothing(plumber: Plumber) -> None:
    await _fleet(plumber)
    await plumber.groups.save(name="front", expression="group:web or lb-*")
    with pytest.raises(InvalidRequest, match="web > front > web"):
        await plumber.groups.save(name="web", expression="group:front")
    with pytest.raises(InvalidRequest, match="nearest is web"):
        await _hosts(plumber, "group:wep")
    with pytest.raises(Conflict, match="part of group front"):
        await plumber.groups.delete(name="web")
    assert [(group.name, group.expression) for group in await plumber.groups.list()] == [
        ("front", "group:web or lb-*"),
        ("web", "role=web"),
    ]


async def test_another_server_that_has_not_heard_of_a_change_runs_what_is_true_now(postgres_url: str) -> None:
    async with Plumber(postgres_url, local_agent=False) as one, Plumber(postgres_url, local_agent=False) as two:
        await _fleet(one)
        assert await _hosts(two, "group:web") == ["web-1", "web-2"]
        await one.groups.save(name="web", expression="db-1")
        assert await _hosts(two, "group:web") == ["db-1"]
