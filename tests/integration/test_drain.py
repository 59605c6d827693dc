"""Draining: nothing new is handed out, what runs goes on, whichever server was told."""

from __future__ import annotations

from plumber_core.app import Plumber
from plumber_core.model.task import Step
from support.embedded import show, start, states
from support.scripted_agent import ScriptedAgent

ONE, TWO = Step(name="one", run="1"), Step(name="two", run="2")


async def test_an_agent_that_drains_finishes_what_it_has_and_gets_nothing_new(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE, TWO)
    attempt = (await agent.take()).attempt
    await plumber.agents.drain(agent="a")
    other = await start(plumber, ONE)
    assert (await agent.report(attempt)).next is None
    assert await states(plumber, execution) == ["succeeded", "ready"]
    assert await states(plumber, other) == ["ready"]
    assert agent.inbox.empty()
    assert (await plumber.agents.show(agent="a")).running == 0
    await plumber.agents.activate(agent="a")
    for _ in range(2):
        await agent.report((await agent.take()).attempt)
    assert (await show(plumber, execution)).state == (await show(plumber, other)).state == "succeeded"


async def test_a_drain_that_another_server_was_told_of_holds_everywhere(postgres_url: str) -> None:
    async with Plumber(postgres_url, local_agent=False) as here, Plumber(postgres_url, local_agent=False) as there:
        agent = await ScriptedAgent.create(here, "a")
        execution = await start(here, ONE, TWO)
        attempt = (await agent.take()).attempt
        await there.agents.drain(agent="a")
        reported = await agent.report(attempt)
        assert (reported.status, reported.next) == ("recorded", None)
        assert await states(here, execution) == ["succeeded", "ready"]
        waiting = await start(here, ONE)
        assert await states(here, waiting) == ["ready"]
        assert agent.inbox.empty()


async def test_a_server_that_stops_lets_another_lead_at_once(postgres_url: str) -> None:
    async with Plumber(postgres_url, local_agent=False) as here:
        async with Plumber(postgres_url, local_agent=False) as there:
            assert here._engine.term is not None and there._engine.term is None
        async with Plumber(postgres_url, local_agent=False):
            pass
    async with Plumber(postgres_url, local_agent=False) as next_one:
        assert next_one._engine.term is not None
        assert next_one._engine.term.term == 2
