"""A greeting that was under way for long arrives at another server than the one where its agent works by now."""

from __future__ import annotations

import pytest

from plumber_core.app import Plumber
from plumber_core.engine.reap import sweep
from plumber_core.model.task import Step
from plumber_core.protocol.messages import Hello
from plumber_core.protocol.peer import SessionOver
from support.embedded import start, states
from support.scripted_agent import ScriptedAgent

STEP = Step(name="one", run="1")


async def greeted_late(agent: ScriptedAgent, there: Plumber) -> None:
    """Let the agent's first greeting, of before it knew any session, arrive once more."""
    peer = await there.agent_peer(agent.config.token)
    welcome = await peer.hello(Hello(1, "late", agent.boot_id, agent.epoch, "test"))
    assert welcome.status == "ok"


async def test_it_does_not_keep_ready_steps_from_the_agent(postgres_url: str) -> None:
    async with Plumber(postgres_url, local_agent=False) as here, Plumber(postgres_url, local_agent=False) as there:
        agent = await ScriptedAgent.create(here, "a")
        await greeted_late(agent, there)
        execution = await start(there, STEP)
        assert await states(there, execution) == ["ready"]
        await sweep(here._engine)
        with pytest.raises(SessionOver):
            await agent.beat()
        await agent.connect()
        await agent.report((await agent.take()).attempt)
        assert await states(here, execution) == ["succeeded"]


async def test_it_does_not_make_executions_look_busy_that_start_where_the_agent_was(postgres_url: str) -> None:
    async with Plumber(postgres_url, local_agent=False) as here, Plumber(postgres_url, local_agent=False) as there:
        agent = await ScriptedAgent.create(here, "a")
        await greeted_late(agent, there)
        execution = await start(here, STEP)
        assert await states(here, execution) == ["ready"]
        with pytest.raises(SessionOver):
            await agent.beat()
        await agent.connect()
        await agent.report((await agent.take()).attempt)
        assert await states(here, execution) == ["succeeded"]


async def test_it_is_noticed_by_a_sweep_where_nothing_else_happens(postgres_url: str) -> None:
    async with Plumber(postgres_url, local_agent=False) as here, Plumber(postgres_url, local_agent=False) as there:
        agent = await ScriptedAgent.create(here, "a")
        await greeted_late(agent, there)
        await sweep(here._engine)
        with pytest.raises(SessionOver):
            await agent.beat()
