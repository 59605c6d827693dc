"""A paused execution beside others: locks, queues, time limits and hosts that are away, on both databases."""

from __future__ import annotations

import json

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import Conflict
from plumber_core.model.asked import EVERYTHING
from plumber_core.model.locks import Concurrency, Lock
from plumber_core.model.task import Step, Task
from support.absence import let_silence_last
from support.embedded import due, show, start, states
from support.pausing import ONE, TWO, go_on, let_time_pass, pause
from support.rollouts import fleet
from support.scripted_agent import ScriptedAgent


async def settled(plumber: Plumber) -> None:
    await plumber._engine.store.admit({EVERYTHING})


def locked(name: str) -> Step:
    return Step(name=name, run=name, locks=(Lock(name="db"),))


async def test_a_paused_step_neither_gets_a_lock_nor_stands_in_the_way(plumber: Plumber) -> None:
    a, b, c = [await ScriptedAgent.create(plumber, name) for name in ("a", "b", "c")]
    await start(plumber, locked("one"), on="a")
    second, third = await start(plumber, locked("one"), on="b"), await start(plumber, locked("one"), on="c")
    held = await a.take()
    await pause(plumber, second)
    await a.report(held.attempt)
    await settled(plumber)
    behind = await c.take()
    assert behind.attempt.startswith(third) and b.inbox.empty()
    await c.report(behind.attempt)
    await settled(plumber)
    assert b.inbox.empty() and await states(plumber, second) == ["ready"]
    await go_on(plumber, second)
    assert (await b.take()).attempt.startswith(second)


async def test_a_lock_of_a_step_that_has_not_begun_is_given_back(plumber: Plumber) -> None:
    a, b = [await ScriptedAgent.create(plumber, name) for name in ("a", "b")]
    await a.disconnect()
    first, second = await start(plumber, locked("one"), on="a"), await start(plumber, locked("one"), on="b")
    await settled(plumber)
    assert b.inbox.empty(), "the first one has it"
    await pause(plumber, first)
    taken = await b.take()
    assert taken.attempt.startswith(second)
    await a.connect()
    await go_on(plumber, first)
    await settled(plumber)
    assert a.inbox.empty()
    await b.report(taken.attempt)
    assert (await a.take()).attempt.startswith(first)


async def test_a_paused_execution_keeps_its_place_in_the_queue(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    task = Task(name="test", on="all", steps=(ONE,), concurrency=Concurrency())
    source = json.dumps(task.definition())
    first = (await plumber.executions.start(source=source, format="json")).id
    second = (await plumber.executions.start(source=source, format="json")).id
    taken = await agent.take()
    await pause(plumber, first)
    with pytest.raises(Conflict, match="this one is queued"):
        await plumber.executions.pause(execution=second)
    await agent.report(taken.attempt)
    await settled(plumber)
    assert agent.idle and (await show(plumber, second)).state == "queued"
    assert await go_on(plumber, first) == "succeeded"
    assert (await agent.take()).attempt.startswith(second)


async def test_its_time_stands_still(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    task = Task(name="test", on="all", steps=(ONE, TWO), timeout=3600)
    execution = (await plumber.executions.start(source=json.dumps(task.definition()), format="json")).id
    await pause(plumber, execution)
    await let_time_pass(plumber)
    await due(plumber)
    assert (await show(plumber, execution)).state == "paused"
    await go_on(plumber, execution)
    await due(plumber)
    await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "running"
    await let_time_pass(plumber)
    await due(plumber)
    assert (await show(plumber, execution)).cancel_requested


async def test_hosts_that_are_offline_are_waited_for_from_when_it_goes_on(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    await agent.disconnect()
    task = {
        "name": "t",
        "on": "all",
        "offline": "queue 1h",
        "queue_timeout": "2h",
        "steps": [{"name": "a", "run": "a"}],
    }
    execution = (await plumber.executions.start(source=json.dumps(task), format="json")).id
    await pause(plumber, execution)
    await let_silence_last(plumber)
    await due(plumber)
    assert await states(plumber, execution) == ["ready"]
    await go_on(plumber, execution)
    await due(plumber)
    assert await states(plumber, execution) == ["ready"]
    await let_silence_last(plumber)
    await due(plumber)
    assert (await show(plumber, execution)).state == "failed"
