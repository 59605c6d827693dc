"""Steps of pools that ran in commits which a database has forgotten: what their agents tell decides whose they are."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import update

from plumber_core.app import Plumber
from plumber_core.engine.attempts import AttemptRef
from plumber_core.model.limits import Patience
from plumber_core.model.task import Retry, Step
from plumber_core.storage import tables as t
from support.embedded import only_step, show, start, states
from support.rollback import go_back, remember
from support.scripted_agent import ScriptedAgent

POOLED = Step(name="pooled", run="1", on="any 1 of role=web")
RETRIED = POOLED.model_copy(update={"retry": Retry(attempts=3, delay=0.0)})


async def _two_away(plumber: Plumber) -> list[ScriptedAgent]:
    agents = [await ScriptedAgent.create(plumber, name, role="web") for name in ("a", "b")]
    for agent in agents:
        await agent.disconnect()
    return agents


async def _started_and_forgotten(plumber: Plumber, holder: ScriptedAgent) -> tuple[str, str]:
    """Have an agent that is away again run a pool's step whose start the database has lost; return both ids."""
    execution = await start(plumber, POOLED)
    before = await remember(plumber)
    await holder.connect()
    attempt = (await holder.take()).attempt
    assert await holder.start(attempt) == "go"
    await holder.disconnect()
    await go_back(plumber, before)
    return execution, attempt


@pytest.mark.parametrize("greeted_before", [True, False])
async def test_a_pool_s_step_waits_for_the_others_who_may_hold_it(plumber: Plumber, greeted_before: bool) -> None:
    """Seed 700: whose first greeting was forgotten with what he ran was not waited for, and it ran twice."""
    holder, other = await _two_away(plumber)
    if not greeted_before:
        never = update(t.agents).where(t.agents.c.id == holder.config.id).values(session=None, session_epoch=0)
        await plumber._engine.store.database.write(lambda connection: connection.execute(never) and None)
    execution, attempt = await _started_and_forgotten(plumber, holder)
    await other.connect()
    assert other.inbox.empty() and await states(plumber, execution) == ["ready"]
    await holder.connect()
    step = await only_step(plumber, execution)
    assert (step.state, step.host, [one.id for one in step.attempts]) == ("running", holder.config.id, [attempt])
    await holder.report(attempt)
    assert (await show(plumber, execution)).state == "succeeded"
    assert other.inbox.empty()


async def test_a_pool_s_step_goes_to_the_first_when_all_who_may_hold_it_have_said_that_they_do_not(
    plumber: Plumber,
) -> None:
    agents = await _two_away(plumber)
    await start(plumber, POOLED)
    await go_back(plumber, await remember(plumber))
    await agents[0].connect()
    assert agents[0].inbox.empty()
    await agents[1].connect()
    assert (await agents[1].take()).spec.step == "pooled"


@pytest.mark.parametrize("given_back", [False, True])
async def test_a_claim_whose_start_was_forgotten_is_running_and_nobody_else_gets_it(
    plumber: Plumber, given_back: bool
) -> None:
    """Found by the simulator: the claim, all that was left of it, was given back, and the step ran twice."""
    holder, other = [await ScriptedAgent.create(plumber, name, role="web") for name in ("a", "b")]
    await other.disconnect()
    execution = await start(plumber, POOLED)
    attempt = (await holder.take()).attempt
    claimed = await remember(plumber)
    assert await holder.start(attempt) == "go"
    await holder.disconnect()
    await go_back(plumber, claimed)
    assert await states(plumber, execution) == ["claimed"]
    if given_back:
        term = await plumber._engine.store.mark_unreachable(plumber._engine.term, -1.0)
        assert [step.state for step in term] == ["ready"]
    await other.connect()
    await holder.connect()
    step = await only_step(plumber, execution)
    assert (step.state, step.host, [one.id for one in step.attempts]) == ("running", holder.config.id, [attempt])
    assert other.inbox.empty()
    assert (await holder.report(attempt, b"out\n")).status == "recorded"
    assert (await show(plumber, execution)).state == "succeeded"


async def test_what_was_started_counts_more_than_what_another_has_only_claimed(plumber: Plumber) -> None:
    holder, other = await _two_away(plumber)
    execution, _ = await _started_and_forgotten(plumber, holder)
    # So long after the failover that nobody is waited for any more.
    plumber._engine.patience = Patience(lost_after=-(10**9))
    await other.connect()
    claimed = (await other.take()).attempt
    await holder.connect()
    assert await other.start(claimed) == "gone"
    step = await only_step(plumber, execution)
    assert (step.state, step.host) == ("running", holder.config.id)


async def test_an_attempt_that_followed_another_in_lost_commits_is_the_steps_and_nobody_else_gets_it(
    plumber: Plumber,
) -> None:
    """Found by the simulator: the database showed the attempt before it, and gave the step to a third one."""
    first, other = [await ScriptedAgent.create(plumber, name, role="web") for name in ("a", "b")]
    await other.disconnect()
    execution = await start(plumber, RETRIED)
    attempt = (await first.take()).attempt
    assert await first.start(attempt) == "go"
    running = await remember(plumber)
    await plumber.agents.drain(agent=first.config.id)
    await first.report(attempt, state="failed", exit_code=1)
    await other.connect()
    again = (await other.take()).attempt
    assert await other.start(again) == "go"
    await other.disconnect()
    await first.disconnect()
    await go_back(plumber, running)
    await first.connect(have=())
    await other.connect()
    step = await only_step(plumber, execution)
    assert (step.state, step.host, step.attempts[-1].id) == ("running", other.config.id, again)
    await first.never_ran(attempt)
    assert await states(plumber, execution) == ["running"]
    await other.report(again)
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_step_that_another_was_given_after_the_failover_stays_with_it(plumber: Plumber) -> None:
    first, other = await _two_away(plumber)
    execution = await start(plumber, RETRIED)
    before = await remember(plumber)
    await first.connect()
    for code in (1, 0):
        attempt = (await first.take()).attempt
        assert await first.start(attempt) == "go"
        if code:
            await first.report(attempt, state="failed", exit_code=code)
    await first.disconnect()
    await go_back(plumber, before)
    plumber._engine.patience = Patience(lost_after=-(10**9))
    await other.connect()
    given = (await other.take()).attempt
    assert await other.start(given) == "go"
    await first.connect()
    step = await only_step(plumber, execution)
    assert (step.state, step.host) == ("running", other.config.id)
    await other.report(given)
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_failover_between_a_pool_and_the_execution_that_names_it_costs_a_try_and_no_step(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulator: the pool was forgotten, and nobody could ever claim the step."""
    agent = await ScriptedAgent.create(plumber, "a", role="web")
    before, save = await remember(plumber), plumber._store.save_pool

    async def save_in_vain(pool: str, agents: Any) -> None:
        await save(pool, agents)
        monkeypatch.undo()
        await go_back(plumber, before)

    monkeypatch.setattr(plumber._store, "save_pool", save_in_vain)
    execution = await start(plumber, POOLED)
    await agent.connect()
    attempt = (await agent.take()).attempt
    assert await agent.start(attempt) == "go"
    await agent.report(attempt)
    assert (await show(plumber, execution)).state == "succeeded"


async def test_two_of_a_pool_that_had_changed_lanes_in_lost_commits_keep_what_they_run(plumber: Plumber) -> None:
    """Found by the simulator: an agent had two lanes then, which the database refuses, and could not greet any more."""
    agents = [await ScriptedAgent.create(plumber, name, role="web") for name in ("a", "b")]
    execution = await start(plumber, RETRIED.model_copy(update={"on": "any 2 of role=web"}))
    first = [(await agent.take()).attempt for agent in agents]
    for agent, attempt in zip(agents, first, strict=True):
        assert await agent.start(attempt) == "go"
    running = await remember(plumber)
    for agent in agents:
        await plumber.agents.drain(agent=agent.config.id)
    for agent, attempt in zip(agents, first, strict=True):
        await agent.report(attempt, state="failed", exit_code=1)
    for agent in reversed(agents):
        await plumber.agents.activate(agent=agent.config.id)
        assert await agent.start((await agent.take()).attempt) == "go"
        await agent.disconnect()
    again = [next(iter(agent.held)) for agent in agents]
    lanes = [AttemptRef.parse(attempt).lane for attempt in (*first, *again)]
    assert lanes[:2] == lanes[:1:-1]
    await go_back(plumber, running)
    for agent in agents:
        await agent.connect()
    shown = {step.host: step.attempts[-1].id for step in (await show(plumber, execution)).steps}
    assert shown == {agent.config.id: attempt for agent, attempt in zip(agents, again, strict=True)}
    for agent, attempt in zip(agents, again, strict=True):
        await agent.report(attempt)
        assert agent.inbox.empty()
    assert (await show(plumber, execution)).state == "succeeded"
