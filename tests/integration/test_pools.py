"""Steps that any of several agents may run: claimed by whoever is free, started by leave, given back for nothing."""

from __future__ import annotations

import asyncio

import pytest

from plumber_core.app import Plumber
from plumber_core.engine.pools import given_back
from plumber_core.errors import InvalidRequest
from plumber_core.model.task import Retry, Step
from support.embedded import only_step, show, start, states
from support.scripted_agent import ScriptedAgent
from support.waiting import wait_until

POOL = "any 1 of role=web"


async def _agents(plumber: Plumber, *names: str) -> list[ScriptedAgent]:
    return [await ScriptedAgent.create(plumber, name, role="web") for name in names]


async def _taker(*agents: ScriptedAgent) -> ScriptedAgent:
    """Wait until one of them was handed something."""
    await wait_until(lambda: any(not agent.inbox.empty() for agent in agents))
    [taker] = [agent for agent in agents if not agent.inbox.empty()]
    return taker


async def test_one_of_them_claims_asks_and_runs_and_its_outputs_are_the_steps(plumber: Plumber) -> None:
    agents = await _agents(plumber, "a", "b", "c")
    await ScriptedAgent.create(plumber, "other", role="db")
    later = Step(name="two", run="2", on="other", env={"GOT": "${{ steps.one.outputs.key }}"})
    execution = await start(plumber, Step(name="one", run="1", on=POOL), later)
    taker = await _taker(*agents)
    assignment = await taker.take()
    assert (assignment.permit, await states(plumber, execution)) == (False, ["claimed", "blocked"])
    assert await taker.start(assignment.attempt) == "go"
    assert await taker.start(assignment.attempt) == "go"
    assert await states(plumber, execution) == ["running", "blocked"]
    await taker.report(assignment.attempt, outputs={"key": "value"})
    first, second = (await show(plumber, execution)).steps
    assert (first.state, first.host) == ("succeeded", taker.config.id)
    assert second.env["GOT"] == "value"
    matrix = await plumber.executions.matrix(execution=execution)
    assert len(matrix.hosts) == 2 and {host.id for host in matrix.hosts} == {first.host, second.host}
    assert [host.pool for host in matrix.hosts] == [0, 0]


async def test_a_row_stands_for_whoever_will_claim_the_step(plumber: Plumber) -> None:
    for name in ("a", "b", "c"):
        await plumber.agents.create(name=name, labels={"role": "web"})
    execution = await start(plumber, Step(name="one", run="1", on=POOL))
    [row] = (await plumber.executions.matrix(execution=execution)).hosts
    assert (row.name, row.pool) == (POOL, 3)


async def test_a_claim_whose_agent_vanishes_costs_nothing(plumber: Plumber) -> None:
    agents = await _agents(plumber, "a", "b")
    execution = await start(plumber, Step(name="one", run="1", on=POOL))
    gone = await _taker(*agents)
    first = await gone.take()
    await gone.disconnect()
    [other] = [agent for agent in agents if agent is not gone]
    second = await other.take()
    assert second.attempt != first.attempt
    await gone.connect()
    assert await gone.start(first.attempt) == "gone"
    await gone.never_ran(first.attempt)
    assert await other.start(second.attempt) == "go"
    await other.report(second.attempt)
    step = await only_step(plumber, execution)
    assert (step.state, step.host) == ("succeeded", other.config.id)
    assert [attempt.state for attempt in step.attempts] == ["never_ran", "succeeded"]


async def test_an_old_claim_is_given_back_although_its_agent_is_there(plumber: Plumber) -> None:
    agents = await _agents(plumber, "a", "b")
    execution = await start(plumber, Step(name="one", run="1", on=POOL))
    slow = await _taker(*agents)
    [other] = [agent for agent in agents if agent is not slow]
    first = await slow.take()
    engine = plumber._engine
    connection = engine.connections.get(slow.config.id)
    assert connection is not None and engine.term is not None
    connection.refuses = "disk_pressure"
    assert await engine.store.mark_unreachable(engine.term, 60.0) == []
    given = await engine.store.mark_unreachable(engine.term, -1.0)
    assert [step.state for step in given] == ["ready"]
    await given_back(engine, given)
    second = await other.take()
    assert await slow.start(first.attempt) == "gone"
    assert await other.start(second.attempt) == "go"
    assert await engine.store.give_back_claims(other.config.id, connection.session_hash) == []
    assert await states(plumber, execution) == ["running"]


async def test_a_started_step_stays_with_its_agent_unless_it_proves_that_nothing_ran(plumber: Plumber) -> None:
    agents = await _agents(plumber, "a", "b")
    execution = await start(plumber, Step(name="one", run="1", on=POOL))
    taker = await _taker(*agents)
    attempt = (await taker.take()).attempt
    assert await taker.start(attempt) == "go"
    await taker.disconnect()
    assert await states(plumber, execution) == ["running"]
    taker.held.clear()
    await taker.connect()
    await taker.never_ran(attempt)
    again = await (await _taker(*agents)).take()
    assert again.attempt != attempt


async def test_several_lanes_go_to_different_agents_and_no_more_than_asked_for(plumber: Plumber) -> None:
    agents = await _agents(plumber, "a", "b", "c")
    execution = await start(plumber, Step(name="one", run="1", on="any 2 of role=web"))
    await wait_until(lambda: sum(agent.inbox.qsize() for agent in agents) == 2)
    takers = [agent for agent in agents if not agent.inbox.empty()]
    assert len(takers) == 2
    for agent in takers:
        attempt = (await agent.take()).attempt
        assert await agent.start(attempt) == "go"
        await agent.report(attempt)
    assert {step.host for step in (await show(plumber, execution)).steps} == {a.config.id for a in takers}
    with pytest.raises(InvalidRequest, match="any 4 of is asked for, but only 3 match"):
        await start(plumber, Step(name="one", run="1", on="any 4 of role=web"))


async def test_work_is_spread_and_no_slot_is_overfilled(plumber: Plumber) -> None:
    agents = await _agents(plumber, "a", "b")
    for agent in agents:
        await plumber.agents.update(agent=agent.config.id, slots=2)
    executions = [await start(plumber, Step(name="one", run="1", on=POOL)) for _ in range(6)]
    await wait_until(lambda: sum(agent.inbox.qsize() for agent in agents) == 4)
    assert [agent.inbox.qsize() for agent in agents] == [2, 2]
    waiting = [step for e in executions for step in (await show(plumber, e)).steps if step.state == "ready"]
    assert [step.waiting for step in waiting] == [{"code": "pool_busy", "agents": 2, "online": 2}] * 2
    attempt = (await agents[0].take()).attempt
    assert await agents[0].start(attempt) == "go"
    await agents[0].report(attempt)
    await wait_until(lambda: agents[0].inbox.qsize() == 2)


async def test_a_pool_step_is_not_pushed_past_by_younger_steps_of_its_agent(plumber: Plumber) -> None:
    [agent] = await _agents(plumber, "a")
    await plumber.agents.update(agent="a", slots=1)
    await start(plumber, Step(name="first", run="1", on="a"))
    running = await agent.take()
    await start(plumber, Step(name="pooled", run="1", on=POOL))
    await start(plumber, Step(name="younger", run="1", on="a"))
    await agent.report(running.attempt)
    assert (await agent.take()).spec.step == "pooled"


async def test_an_older_step_of_the_agent_itself_goes_before_a_pools(plumber: Plumber) -> None:
    [agent] = await _agents(plumber, "a")
    await agent.disconnect()
    await start(plumber, Step(name="own", run="1", on="a"))
    await start(plumber, Step(name="pooled", run="1", on=POOL))
    await agent.connect()
    assert [(await agent.take()).spec.step for _ in range(2)] == ["own", "pooled"]


async def test_nobody_is_online_and_the_first_to_come_gets_it(plumber: Plumber) -> None:
    agents = await _agents(plumber, "a", "b")
    for agent in agents:
        await agent.disconnect()
    execution = await start(plumber, Step(name="one", run="1", on=POOL))
    step = await only_step(plumber, execution)
    assert (step.state, step.host_name) == ("ready", POOL)
    assert step.waiting is not None and step.waiting["code"] in ("pool_offline", "pool_busy")
    await agents[1].connect()
    assert (await agents[1].take()).spec.step == "one"


async def test_a_cancel_ends_a_claim_and_nothing_starts(plumber: Plumber) -> None:
    agents = await _agents(plumber, "a")
    execution = await start(plumber, Step(name="one", run="1", on=POOL))
    attempt = (await agents[0].take()).attempt
    await plumber.executions.cancel(execution=execution)
    assert (await show(plumber, execution)).state == "cancelled"
    assert await agents[0].start(attempt) == "gone"
    await agents[0].never_ran(attempt)
    assert (await only_step(plumber, execution)).state == "cancelled"
    await start(plumber, Step(name="next", run="1", on="a"))
    assert (await agents[0].take()).spec.step == "next"


async def test_a_retry_may_go_to_another_agent(plumber: Plumber) -> None:
    agents = await _agents(plumber, "a", "b")
    retry = Retry(attempts=2, delay=0.0)
    execution = await start(plumber, Step(name="one", run="1", on=POOL, retry=retry))
    first = await _taker(*agents)
    attempt = (await first.take()).attempt
    assert await first.start(attempt) == "go"
    await plumber.agents.drain(agent=first.config.id)
    await first.report(attempt, state="failed", exit_code=1)
    [other] = [agent for agent in agents if agent is not first]
    again = (await other.take()).attempt
    assert await other.start(again) == "go"
    await other.report(again)
    step = await only_step(plumber, execution)
    assert (step.state, step.host, len(step.attempts)) == ("succeeded", other.config.id, 2)


async def test_a_step_that_depends_on_its_agent_cannot_be_left_to_chance(plumber: Plumber) -> None:
    await _agents(plumber, "a")
    with pytest.raises(InvalidRequest, match="PLUMBER_AGENT_NAME"):
        await start(plumber, Step(name="one", run="1", on=POOL, env={"WHO": "${{ agent.name }}"}))


async def test_the_plan_names_everybody_who_may_run_it(plumber: Plumber) -> None:
    await _agents(plumber, "a", "b")
    await plumber.tasks.apply(source=f"name: t\nsteps: [{{name: one, on: {POOL}, run: 'true'}}]")
    [step] = (await plumber.tasks.plan(task="t")).steps
    assert ([host.name for host in step.hosts], step.any_of) == (["a", "b"], 1)
    match = await plumber.agents.match(on=POOL)
    assert (match.names, match.any_of) == (["a", "b"], 1)


async def test_two_servers_hand_a_pool_s_step_out_once(database_url: str) -> None:
    if database_url.startswith("sqlite"):
        pytest.skip("one server to a file")
    async with Plumber(database_url, local_agent=False) as one, Plumber(database_url, local_agent=False) as two:
        here = (await _agents(one, "a"))[0]
        there = ScriptedAgent(two, (await two.agents.create(name="b", labels={"role": "web"})).config)
        await there.connect()
        executions = [await start(one, Step(name="one", run="1", on=POOL)) for _ in range(12)]
        await wait_until(lambda: here.inbox.qsize() + there.inbox.qsize() == 12)
        assert here.inbox.qsize() == 8 and there.inbox.qsize() == 4
        found = [step.attempts for e in executions for step in (await show(two, e)).steps]
        assert [len(attempts) for attempts in found] == [1] * 12


async def test_many_claim_at_once_and_each_step_is_claimed_once(plumber: Plumber) -> None:
    agents = [ScriptedAgent(plumber, (await plumber.agents.create(name=f"a{n}", labels={"role": "web"})).config)
              for n in range(6)]  # fmt: skip
    executions = [await start(plumber, Step(name="one", run="1", on=POOL)) for _ in range(30)]
    await asyncio.gather(*(agent.connect() for agent in agents))
    await wait_until(lambda: sum(agent.inbox.qsize() for agent in agents) == 30)
    steps = [step for e in executions for step in (await show(plumber, e)).steps]
    assert {step.state for step in steps} == {"claimed"}
    assert all(len(step.attempts) == 1 for step in steps)
