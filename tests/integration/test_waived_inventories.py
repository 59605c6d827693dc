"""An agent that has not told what it ran in lost commits: it is seen, its steps say why they wait, it can be waived."""

from __future__ import annotations

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import Conflict
from plumber_core.model.task import Step
from plumber_core.model.views import AgentView
from plumber_core.terminal.outcome import waiting_text
from support.embedded import only_step, show, start, states
from support.rollback import go_back, remember
from support.scripted_agent import ScriptedAgent
from support.waiting import wait_until

ONE = Step(name="one", run="1")


@pytest.fixture
async def missing(plumber: Plumber) -> ScriptedAgent:
    """An agent that has gone, and whose database has forgotten a run of its ready step since."""
    agent = await ScriptedAgent.create(plumber, "a")
    await agent.disconnect()
    await start(plumber, ONE)
    before = await remember(plumber)
    await agent.connect()
    await agent.take()
    await agent.disconnect()
    await go_back(plumber, before)
    return agent


async def view(plumber: Plumber) -> AgentView:
    return await plumber.agents.show(agent="a")


async def execution_of(plumber: Plumber) -> str:
    [one] = (await plumber.executions.list()).items
    return one.id


async def test_a_step_says_that_its_agent_owes_an_inventory_and_everybody_sees_which(
    plumber: Plumber, missing: ScriptedAgent
) -> None:
    execution = await execution_of(plumber)
    seen = (await view(plumber)).last_seen_at
    assert (await view(plumber)).awaited and seen is not None
    assert (await only_step(plumber, execution)).waiting == {"code": "inventory", "since": seen.isoformat()}
    assert "has not told yet" in waiting_text((await only_step(plumber, execution)).waiting)
    [host] = (await plumber.executions.matrix(execution=execution)).hosts
    assert host.awaited
    record = await plumber.executions.step(execution=execution, step=0, host="a")
    assert record.rounds[0].waiting == {"code": "inventory", "since": seen.isoformat()}


async def test_an_agent_that_comes_back_and_tells_is_not_awaited_any_more(
    plumber: Plumber, missing: ScriptedAgent
) -> None:
    await missing.connect()
    assert not (await view(plumber)).awaited
    assert await states(plumber, await execution_of(plumber)) == ["running"]
    with pytest.raises(Conflict, match="nothing is awaited of agent a"):
        await plumber.agents.waive(agent="a")


async def test_a_waived_agent_is_not_awaited_and_what_it_tells_later_is_taken_in_all_the_same(
    plumber: Plumber, missing: ScriptedAgent
) -> None:
    execution = await execution_of(plumber)
    assert not (await plumber.agents.waive(agent="a")).awaited
    waiting = (await only_step(plumber, execution)).waiting
    assert waiting is not None and waiting["code"] == "agent_offline"
    [host] = (await plumber.executions.matrix(execution=execution)).hosts
    assert not host.awaited
    told = [event for event in await plumber._store.events_after("0.0", None, 100) if "waived" in event.kind]
    assert [(event.kind, event.agent_id, event.data) for event in told] == [
        ("agent.inventory_waived", missing.config.id, {"by": "system"})
    ]
    [attempt] = missing.held
    await missing.connect()
    assert [one.id for one in (await only_step(plumber, execution)).attempts] == [attempt]
    assert (await missing.report(attempt)).status == "recorded"
    assert (await show(plumber, execution)).state == "succeeded"


async def test_an_agent_of_the_original_cannot_tell_and_gets_nothing_until_it_is_waived(plumber: Plumber) -> None:
    created = await plumber.agents.create(name="a")
    token, agent = created.config.token, created.config.id
    await plumber.original.register(token, agent, "host", "192.0.2.1")
    execution = await start(plumber, ONE)
    await go_back(plumber, await remember(plumber))
    await plumber.original.register(token, agent, "host", "192.0.2.1")
    assert await plumber.original.poll(token, agent) is None
    waiting = (await only_step(plumber, execution)).waiting
    assert waiting is not None and waiting["code"] == "vouch"
    await plumber.agents.drain(agent="a")
    await plumber.agents.activate(agent="a")
    assert await plumber.original.poll(token, agent) is None, "activating says nothing of lost commits"
    await plumber.agents.waive(agent="a")
    assert await plumber.original.poll(token, agent) is not None


async def test_of_a_new_agent_and_of_one_that_was_never_here_nothing_is_awaited(plumber: Plumber) -> None:
    await plumber.agents.create(name="a")
    assert not (await view(plumber)).awaited
    with pytest.raises(Conflict):
        await plumber.agents.waive(agent="a")


async def test_a_copied_agent_is_seen_by_its_conflict_until_the_real_one_has_a_new_credential(plumber: Plumber) -> None:
    real = await ScriptedAgent.create(plumber, "a")
    copy = ScriptedAgent(plumber, real.config, incarnation=real.incarnation, token="of-long-ago")
    assert (await copy.hello()).status == "conflict"
    assert (await view(plumber)).conflict
    real.config = await plumber.agents.rotate(agent="a")
    await real.connect()
    await wait_until(lambda: real.welcome is not None)
    assert not (await view(plumber)).conflict
