"""A greeting that was under way for long arrives at another server than the one where its agent works by now, or once
more at the same one."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plumber_core.app import Plumber
from plumber_core.engine.reap import sweep
from plumber_core.model.task import Step
from plumber_core.protocol.messages import Ask, Assignment, Hello
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


@pytest.mark.parametrize("handed_out", ["while it is answered", "after it was answered"])
async def test_what_is_handed_out_around_a_repeated_greeting_is_asked_about(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch, handed_out: str
) -> None:
    """Found by the simulator: it was handed to the connection of the first greeting, where nobody listened any more."""
    agent = await ScriptedAgent.create(plumber, "a")
    peer = await plumber.agent_peer(agent.config.token)
    greeting = Hello(agent.incarnation, f"nonce-{agent.incarnation}", agent.boot_id, agent.epoch, "test")
    store = plumber._store
    live_steps, hot = store.live_steps, store.database.hot

    async def then_start(of: str) -> Any:
        found = await live_steps(of)
        monkeypatch.undo()
        await start(plumber, STEP)
        return found

    async def greet_first(*arguments: Any) -> bool:
        monkeypatch.undo()
        assert (await peer.hello(greeting)).session == agent.session
        return await hot(*arguments)

    if handed_out == "while it is answered":
        monkeypatch.setattr(store, "live_steps", then_start)
        assert (await peer.hello(greeting)).session == agent.session
    else:
        monkeypatch.setattr(store.database, "hot", greet_first)
        await start(plumber, STEP)
    agent.peer = peer
    agent.inbox = asyncio.Queue()
    listener = asyncio.create_task(agent._listen(peer))
    await sweep(plumber._engine)
    delivery = await agent.next()
    assignment = delivery.assignment if isinstance(delivery, Ask) else delivery
    assert isinstance(assignment, Assignment)
    await agent.report(assignment.attempt)
    connection = plumber._engine.connections.get(agent.config.id)
    assert connection is not None and not connection.live
    listener.cancel()


async def test_a_slot_whose_step_ended_while_a_repeated_greeting_was_answered_is_free_again(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await start(plumber, STEP)
    attempt = (await agent.take()).attempt
    peer = await plumber.agent_peer(agent.config.token)
    live_steps = plumber._store.live_steps

    async def then_report(of: str) -> Any:
        found = await live_steps(of)
        monkeypatch.undo()
        await agent.report(attempt)
        return found

    monkeypatch.setattr(plumber._store, "live_steps", then_report)
    await peer.hello(Hello(agent.incarnation, f"nonce-{agent.incarnation}", agent.boot_id, agent.epoch, "test"))
    await sweep(plumber._engine)
    connection = plumber._engine.connections.get(agent.config.id)
    assert connection is not None and not connection.live
