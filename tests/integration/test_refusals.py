"""An agent that takes no steps for now, on both databases: nothing is handed out to it, and people see why."""

from __future__ import annotations

from plumber_core.app import Plumber
from plumber_core.model.task import Step
from plumber_core.protocol.messages import DISK_PRESSURE, STOPPING
from support.embedded import start, states
from support.scripted_agent import ScriptedAgent
from support.waiting import wait_until


async def refuses(plumber: Plumber, agent: ScriptedAgent) -> str:
    return (await plumber.agents.show(agent=agent.config.id)).facts.get("refuses", "")


async def test_it_gets_nothing_until_it_takes_steps_again(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await agent.beat(refuses=DISK_PRESSURE)
    execution = await start(plumber, Step(name="one", run="1"))
    await agent.beat(refuses=DISK_PRESSURE)
    assert await states(plumber, execution) == ["ready"]
    assert agent.inbox.empty()
    await wait_until(lambda: _is(plumber, agent, DISK_PRESSURE))
    await agent.beat()
    assert (await agent.take()).spec.step == "one"
    await wait_until(lambda: _is(plumber, agent, ""))


async def _is(plumber: Plumber, agent: ScriptedAgent, reason: str) -> bool:
    return await refuses(plumber, agent) == reason


async def test_what_it_gives_back_for_that_reason_is_not_handed_out_again_at_once(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, Step(name="one", run="1"))
    given = await agent.take()
    await agent.never_ran(given.attempt, reason=STOPPING)
    assert await states(plumber, execution) == ["ready"]
    assert agent.inbox.empty()
    await wait_until(lambda: _is(plumber, agent, STOPPING))
    await agent.beat()
    assert (await agent.take()).attempt != given.attempt


async def test_a_running_step_ends_but_the_next_one_waits(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, Step(name="one", run="1"), Step(name="two", run="2"))
    given = await agent.take()
    await agent.beat(refuses=STOPPING)
    assert (await agent.report(given.attempt)).next is None
    assert await states(plumber, execution) == ["succeeded", "ready"]


async def test_a_new_session_begins_without_a_reason(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await agent.beat(refuses=STOPPING)
    await wait_until(lambda: _is(plumber, agent, STOPPING))
    await agent.disconnect()
    await agent.connect()
    assert await refuses(plumber, agent) == ""
