"""Locks and queues: who waits, who goes on when, and that nobody holds what another holds."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from sqlalchemy import select, update

from plumber_core.app import Plumber
from plumber_core.errors import Conflict
from plumber_core.model.asked import EVERYTHING
from plumber_core.model.locks import Concurrency, Lock
from plumber_core.model.task import Step, Task
from plumber_core.model.views import ExecutionDetail
from plumber_core.storage import tables as t
from support.absence import LATER, let_silence_last
from support.embedded import due, show, states
from support.scripted_agent import ScriptedAgent
from support.waiting import wait_until

DB, READ = Lock(name="db"), Lock(name="db", shared=True)


def step(*locks: Lock, name: str = "one") -> Step:
    return Step(name=name, run=name, locks=locks)


async def begin(plumber: Plumber, *steps: Step, on: str = "all", **values: Any) -> str:
    task = Task(name="test", on=on, steps=steps or (step(),), **values)
    return (await plumber.executions.start(source=json.dumps(task.definition()), format="json")).id


async def reaches(plumber: Plumber, execution: str, state: str) -> ExecutionDetail:
    async def reached() -> bool:
        return (await show(plumber, execution)).state == state

    await wait_until(reached)
    return await show(plumber, execution)


async def settled(plumber: Plumber) -> None:
    """Wait until everything that was asked for has been looked at."""
    await plumber._engine.store.admit({EVERYTHING})
    await wait_until(lambda: not plumber._engine.asked and not plumber._engine.asking.is_set())


async def test_a_step_waits_for_its_lock_and_says_who_holds_it(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    first, second = await begin(plumber, step(DB)), await begin(plumber, step(DB))
    taken = await agent.take()
    await settled(plumber)
    [waits] = (await show(plumber, second)).steps
    assert waits.state == "ready" and agent.inbox.empty()
    who = {"execution": first, "task": "test", "by": "system", "step": "one", "host": "a"}
    assert waits.waiting == {"code": "lock_step", "lock": "db", "position": 1, **who}
    assert list((await plumber.executions.matrix(execution=second)).waits.values()) == [waits.waiting]
    await agent.report(taken.attempt)
    following = await agent.take()
    assert following.attempt.startswith(second)
    await agent.report(following.attempt)
    assert (await show(plumber, second)).state == "succeeded"


async def test_shared_locks_are_held_together_and_the_order_is_fair(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    runs = [await begin(plumber, step(lock)) for lock in (READ, READ, DB, READ)]
    taken = [await agent.take() for _ in range(2)]
    await settled(plumber)
    assert agent.inbox.empty()
    assert {attempt.attempt[:36] for attempt in taken} == set(runs[:2])
    for attempt in taken:
        await agent.report(attempt.attempt)
    alone = await agent.take()
    await settled(plumber)
    assert alone.attempt.startswith(runs[2]) and agent.inbox.empty()
    await agent.report(alone.attempt)
    assert (await agent.take()).attempt.startswith(runs[3])


async def test_a_lock_by_the_host_lets_other_hosts_go_on(plumber: Plumber) -> None:
    agents = [await ScriptedAgent.create(plumber, name) for name in ("a", "b")]
    lock = Lock(name="host:{agent}")
    await begin(plumber, step(lock), on="a")
    both = await begin(plumber, step(lock))
    held, other = await agents[0].take(), await agents[1].take()
    assert other.attempt.startswith(both)
    await settled(plumber)
    assert agents[0].inbox.empty()
    await agents[0].report(held.attempt)
    assert (await agents[0].take()).attempt.startswith(both)


async def test_one_lock_over_many_hosts_takes_them_one_after_the_other(plumber: Plumber) -> None:
    agents = {f"h{n}": await ScriptedAgent.create(plumber, f"h{n}") for n in range(4)}
    execution = await begin(plumber, step(DB), step(name="two"))
    for _ in agents:
        await wait_until(lambda: sum(not agent.inbox.empty() for agent in agents.values()) == 1)
        [agent] = [agent for agent in agents.values() if not agent.inbox.empty()]
        await agent.report((await agent.take()).attempt)
    assert (await states(plumber, execution))[:4] == ["succeeded"] * 4


@pytest.mark.parametrize("end", ["cancel", "fail", "expire"])
async def test_whoever_ends_gives_back_in_the_same_transaction(plumber: Plumber, end: str) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    away = await plumber.agents.create(name="away")
    target, values = ("away", {"queue_timeout": 60.0}) if end == "expire" else ("a", {})
    first = await begin(plumber, step(DB), on=target, **values)
    second = await begin(plumber, step(DB), on="a")
    if end == "cancel":
        taken = await agent.take()
        await plumber.executions.cancel(execution=first)
        await agent.next()
        assert await _held(plumber) == [first]
        await agent.report(taken.attempt, state="cancelled", exit_code=None)
    elif end == "fail":
        await agent.report((await agent.take()).attempt, state="failed", exit_code=1)
    else:
        await settled(plumber)
        await let_silence_last(plumber)
        await due(plumber)
        assert await states(plumber, first) == ["expired"]
    assert (await agent.take()).attempt.startswith(second)
    assert away.agent.name == "away" and await _held(plumber) == [second]


async def _held(plumber: Plumber) -> list[str]:
    query = select(t.holds.c.execution_id).where(t.holds.c.granted_at.is_not(None)).order_by(t.holds.c.id)
    return list(await plumber._store.database.read(lambda connection: connection.execute(query).scalars().all()))


async def test_a_step_keeps_its_lock_while_it_is_tried_again_and_when_it_never_ran(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    retried = Step(name="one", run="1", locks=(DB,), retry={"attempts": 2, "delay": 0.0})  # type: ignore[arg-type]
    first, second = await begin(plumber, retried), await begin(plumber, step(DB))
    await agent.never_ran((await agent.take()).attempt)
    await agent.report((await agent.take()).attempt, state="failed", exit_code=1)
    again = await agent.take()
    assert again.attempt.startswith(first) and await _held(plumber) == [first]
    await agent.report(again.attempt)
    assert (await agent.take()).attempt.startswith(second)


async def test_an_execution_is_queued_until_its_turn_and_says_its_place(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    queue = Concurrency(key="shop", limit=1)
    first, second, third = [await begin(plumber, concurrency=queue, timeout=60.0) for _ in range(3)]
    taken = await agent.take()
    detail = await reaches(plumber, third, "queued")
    assert detail.waiting is not None and [step.state for step in detail.steps] == ["blocked"]
    assert (detail.waiting["code"], detail.waiting["position"], detail.waiting["execution"]) == ("queue_turn", 2, first)
    assert (await plumber.executions.matrix(execution=third)).waiting == detail.waiting
    for execution in (second, third):
        await agent.report(taken.attempt)
        taken = await agent.take()
        assert taken.attempt.startswith(execution)
    await agent.report(taken.attempt)
    kinds = [event.kind for event in await plumber._engine.store.events_after("0.0", third, 50)]
    began = ["execution.queued", "execution.running"]
    assert kinds == [*began, "step.running", "step.succeeded", "execution.succeeded"]


async def test_a_queued_execution_can_be_cancelled_and_the_others_move_up(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    queue = Concurrency(key="shop")
    _, second, third = [await begin(plumber, concurrency=queue) for _ in range(3)]
    taken = await agent.take()
    await plumber.executions.cancel(execution=second)
    assert (await show(plumber, second)).state == "cancelled"
    await agent.report(taken.attempt)
    assert (await agent.take()).attempt.startswith(third)


async def test_skip_runs_no_second_one(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    queue = Concurrency(key="shop", overlap="skip")
    first = await begin(plumber, concurrency=queue)
    await agent.take()
    second = await begin(plumber, concurrency=queue)
    detail = await reaches(plumber, second, "cancelled")
    assert detail.problem == {"code": "overlap_skipped", "arguments": {"key": "shop", "by": first}}
    assert await _held(plumber) == [first]


async def test_replace_ends_the_one_that_runs_and_takes_its_place(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    queue = Concurrency(key="shop", overlap="replace")
    first = await begin(plumber, concurrency=queue)
    taken = await agent.take()
    second = await begin(plumber, concurrency=queue)
    await agent.next()
    assert (await show(plumber, second)).state == "queued"
    await agent.report(taken.attempt, state="cancelled", exit_code=None)
    detail = await show(plumber, first)
    assert (detail.state, detail.problem and detail.problem["code"]) == ("cancelled", "replaced")
    assert (await agent.take()).attempt.startswith(second)


async def test_priority_and_a_full_queue(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    low, high = Concurrency(key="q", max_queued=2), Concurrency(key="q", priority=9, max_queued=2)
    await begin(plumber, concurrency=low)
    taken = await agent.take()
    second, urgent = await begin(plumber, concurrency=low), await begin(plumber, concurrency=high)
    await settled(plumber)
    full = await begin(plumber, concurrency=low)
    detail = await reaches(plumber, full, "cancelled")
    assert detail.problem is not None and detail.problem["code"] == "queue_full"
    for execution in (urgent, second):
        await agent.report(taken.attempt)
        taken = await agent.take()
        assert taken.attempt.startswith(execution)


async def test_a_queue_timeout_ends_the_wait_for_a_turn(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    queue = Concurrency(key="shop")
    await begin(plumber, concurrency=queue)
    await agent.take()
    second = await begin(plumber, concurrency=queue, queue_timeout=60.0)
    await settled(plumber)
    await due(plumber)
    assert (await show(plumber, second)).state == "queued"
    earlier = update(t.executions).values(created_at=t.executions.c.created_at - LATER)
    await plumber._store.database.write(lambda connection: connection.execute(earlier) and None)
    await due(plumber)
    detail = await show(plumber, second)
    assert (detail.state, detail.problem and detail.problem["code"]) == ("cancelled", "queue_timeout")


async def test_locks_of_a_task_are_held_from_its_first_step_to_its_last(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    whole = await begin(plumber, step(), step(name="two"), locks=(DB,))
    taken = await agent.take()
    waits = await begin(plumber, step(DB))
    await settled(plumber)
    [one] = (await show(plumber, waits)).steps
    assert one.waiting is not None and (one.waiting["code"], one.waiting["execution"]) == ("lock_run", whole)
    following = (await agent.report(taken.attempt)).next
    assert following is not None
    await agent.report(following.attempt)
    assert (await agent.take()).attempt.startswith(waits)


async def test_what_is_resumed_asks_again_for_its_locks_and_for_its_turn(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    queue = Concurrency(key="shop")
    failed = await begin(plumber, step(DB), concurrency=queue)
    await agent.report((await agent.take()).attempt, state="failed", exit_code=1)
    other = await begin(plumber, step(DB), concurrency=queue)
    taken = await agent.take()
    with pytest.raises(Conflict, match="shop"):
        await plumber.executions.resume(execution=failed)
    await agent.report(taken.attempt)
    alone = await begin(plumber, step(DB))
    held = await agent.take()
    await plumber.executions.resume(execution=failed)
    await settled(plumber)
    assert agent.inbox.empty() and await _held(plumber) == [alone, failed]
    await agent.report(held.attempt)
    again = await agent.take()
    assert again.attempt.startswith(failed) and (await show(plumber, other)).state == "succeeded"
    await agent.report(again.attempt)
    assert (await show(plumber, failed)).state == "succeeded" and await _held(plumber) == []


async def test_a_lost_look_costs_nothing(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    plumber._engine.ask = lambda names: None  # type: ignore[method-assign]
    execution = await begin(plumber, step(), concurrency=Concurrency())
    await due(plumber)
    assert (await agent.take()).attempt.startswith(execution)
    # Seed 647: the server that gave it its turn died before it let it begin, and nobody else asked for anything.
    left = await begin(plumber, step(), concurrency=Concurrency(key="another"))
    await plumber._engine.store.admit({EVERYTHING})
    await due(plumber)
    assert (await agent.take()).attempt.startswith(left)


async def test_two_servers_never_let_two_hold_the_same(postgres_url: str) -> None:
    most: dict[str, int] = {}
    async with Plumber(postgres_url, local_agent=False) as one, Plumber(postgres_url, local_agent=False) as other:
        both = (one, other)
        agents = [await ScriptedAgent.create(both[n % 2], f"h{n}") for n in range(4)]
        running: set[str] = set()

        async def work(agent: ScriptedAgent, number: int) -> None:
            while True:
                taken = await agent.take()
                running.add(taken.attempt)
                most["db"] = max(most.get("db", 0), len(running))
                await asyncio.sleep(0)
                running.discard(taken.attempt)
                await agent.report(taken.attempt, state="failed" if number % 2 else "succeeded", exit_code=number % 2)

        workers = [asyncio.create_task(work(agent, n)) for n, agent in enumerate(agents)]
        runs = await asyncio.gather(*(begin(both[n % 2], step(DB), on=f"h{n % 4}") for n in range(16)))
        try:
            async with asyncio.timeout(90):
                for execution in runs:
                    await one.wait(execution)
        finally:
            for worker in workers:
                worker.cancel()
            await asyncio.gather(*workers, return_exceptions=True)
        assert await _held(one) == []
    assert most == {"db": 1}
