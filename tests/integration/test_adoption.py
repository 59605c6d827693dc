"""Commits that a database has forgotten: the agents' inventories are right, nothing runs twice, everything goes on."""

from __future__ import annotations

from typing import Any

import pytest

from plumber_core.app import Plumber
from plumber_core.model.task import Step
from plumber_core.protocol.frames import STDOUT, encode_frame
from plumber_core.protocol.messages import Cancel, Settled
from plumber_core.protocol.peer import Disconnected, SessionOver
from support.embedded import only_step, show, start, states
from support.rollback import go_back, remember
from support.scripted_agent import ScriptedAgent

ONE, TWO, THREE = Step(name="one", run="1"), Step(name="two", run="2"), Step(name="three", run="3")


async def events(plumber: Plumber) -> list[str]:
    return [event.kind for event in await plumber._engine.store.events_after("0.0", None, 500)]


async def test_a_running_step_that_was_forgotten_is_adopted_and_not_handed_out_again(plumber: Plumber) -> None:
    created = await plumber.agents.create(name="a")
    execution = await start(plumber, ONE)
    before = await remember(plumber)
    agent = ScriptedAgent(plumber, created.config)
    await agent.connect()
    attempt = (await agent.take()).attempt
    await go_back(plumber, before)
    assert await states(plumber, execution) == ["ready"]
    await agent.connect()
    step = await only_step(plumber, execution)
    assert (step.state, [one.id for one in step.attempts]) == ("running", [attempt])
    assert (await agent.report(attempt, b"out\n")).status == "recorded"
    assert (await show(plumber, execution)).state == "succeeded"
    assert agent.inbox.empty()
    assert "step.adopted" in await events(plumber)


async def test_an_old_session_gets_nothing_before_its_new_inventory_is_in(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await go_back(plumber, await remember(plumber))
    execution = await start(plumber, ONE)
    assert await states(plumber, execution) == ["ready"]
    with pytest.raises(SessionOver):
        await agent.beat()
    assert agent.inbox.empty()
    greeted = await agent.hello()
    assert (greeted.status, greeted.session) == ("epoch", "")
    assert greeted.forgotten > 0
    assert await states(plumber, execution) == ["ready"]
    await agent.connect()
    await agent.report((await agent.take()).attempt)
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_greeting_that_a_failover_overtakes_opens_no_session_of_the_old_epoch(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulator: the agent stayed in the old epoch, and took no step ever again."""
    agent = await ScriptedAgent.create(plumber, "a")
    await agent.disconnect()
    execution, before = await start(plumber, ONE), await remember(plumber)
    reachable = plumber._store.mark_reachable

    async def overtaken(*arguments: Any) -> None:
        await reachable(*arguments)
        await go_back(plumber, before)

    with monkeypatch.context() as failover:
        failover.setattr(plumber._store, "mark_reachable", overtaken)
        with pytest.raises(Disconnected):
            await agent.hello()
    assert plumber._engine.connections.get(agent.config.id) is None
    await agent.connect()
    await agent.report((await agent.take()).attempt)
    assert (await show(plumber, execution)).state == "succeeded"


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 0, 2)])
async def test_steps_that_were_forgotten_may_be_told_in_any_order(plumber: Plumber, order: tuple[int, ...]) -> None:
    created = await plumber.agents.create(name="a")
    execution = await start(plumber, ONE, TWO, THREE)
    before = await remember(plumber)
    agent = ScriptedAgent(plumber, created.config)
    await agent.connect()
    attempts = [(await agent.take()).attempt]
    for _ in range(2):
        following = (await agent.report(attempts[-1])).next
        assert following is not None
        attempts.append(following.attempt)
    await go_back(plumber, before)
    agent.held = dict.fromkeys(attempts, "exited")
    await agent.connect()
    assert await states(plumber, execution) == ["running"] * 3
    for number in order:
        assert (await show(plumber, execution)).state == "running"
        assert (await agent.report(attempts[number])).status == "recorded"
    detail = await show(plumber, execution)
    assert (detail.state, [len(step.attempts) for step in detail.steps]) == ("succeeded", [1, 1, 1])
    assert agent.inbox.empty()


async def test_the_rest_goes_on_once_what_was_forgotten_is_told(plumber: Plumber) -> None:
    created = [await plumber.agents.create(name=name) for name in ("a", "b")]
    execution = await start(plumber, ONE, TWO)
    before = await remember(plumber)
    agents = [ScriptedAgent(plumber, one.config) for one in created]
    for agent in agents:
        await agent.connect()
    first = [(await agent.take()).attempt for agent in agents]
    await agents[0].report(first[0])
    await agents[1].report(first[1])
    second = [(await agents[0].take()).attempt]
    await go_back(plumber, before)
    agents[0].held = {first[0]: "exited", second[0]: "running"}
    await agents[0].connect()
    assert await states(plumber, execution) == ["running", "ready", "running", "blocked"]
    for attempt in (second[0], first[0]):
        await agents[0].report(attempt)
    assert await states(plumber, execution) == ["succeeded", "ready", "succeeded", "blocked"]
    agents[1].held = {first[1]: "exited"}
    agents[1].inbox = type(agents[1].inbox)()
    await agents[1].connect()
    await agents[1].report(first[1])
    await agents[1].report((await agents[1].take()).attempt)
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_failure_that_was_forgotten_stops_what_follows(plumber: Plumber) -> None:
    created = await plumber.agents.create(name="a")
    execution = await start(plumber, ONE, TWO)
    before = await remember(plumber)
    agent = ScriptedAgent(plumber, created.config)
    await agent.connect()
    attempt = (await agent.take()).attempt
    await agent.report(attempt, state="failed", exit_code=3)
    await go_back(plumber, before)
    agent.held = {attempt: "exited"}
    await agent.connect()
    await agent.report(attempt, state="failed", exit_code=3)
    assert (await show(plumber, execution)).state == "failed"
    assert await states(plumber, execution) == ["failed", "skipped"]


async def test_an_adopted_step_whose_cancel_is_known_is_told_so(plumber: Plumber) -> None:
    created = await plumber.agents.create(name="a")
    other = await ScriptedAgent.create(plumber, "b")
    execution = await start(plumber, ONE)
    attempts = [(await other.take()).attempt]
    before = await remember(plumber)
    agent = ScriptedAgent(plumber, created.config)
    await agent.connect()
    attempts.append((await agent.take()).attempt)
    await go_back(plumber, before)
    await other.connect()
    await plumber.executions.cancel(execution=execution)
    assert await states(plumber, execution) == ["cancelled", "cancelling"]
    welcome = await agent.connect()
    assert Cancel(attempts[1]) in welcome.deliveries
    assert (await agent.report(attempts[1], state="cancelled", exit_code=None, signal=15)).status == "late"
    await other.report(attempts[0], state="cancelled", exit_code=None, signal=15)
    detail = await show(plumber, execution)
    assert (detail.state, await states(plumber, execution)) == ("cancelled", ["cancelled", "cancelled"])


async def test_a_cancel_that_is_known_turns_what_is_adopted_into_cancelling(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, Step(name="one", run="1"), TWO)
    first = (await agent.take()).attempt
    before = await remember(plumber)
    following = (await agent.report(first)).next
    assert following is not None
    await go_back(plumber, before)
    await plumber.executions.cancel(execution=execution)
    assert await states(plumber, execution) == ["cancelling", "cancelled"]
    agent.held = {first: "exited", following.attempt: "running"}
    welcome = await agent.connect()
    assert Cancel(following.attempt) in welcome.deliveries
    await agent.report(first)
    assert (await show(plumber, execution)).state == "cancelled"


async def test_what_the_database_still_knows_is_settled_without_being_told_again(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    await agent.report(attempt, b"out\n")
    await go_back(plumber, await remember(plumber))
    agent.held = {attempt: "exited"}
    assert (await agent.connect()).deliveries == (Settled(attempt),)
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_log_that_was_forgotten_is_taken_again_from_where_it_ends(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    one, two = encode_frame(STDOUT, 1, b"first\n"), encode_frame(STDOUT, 2, b"second\n")
    await agent.append(attempt, 0, one)
    before = await remember(plumber)
    await agent.append(attempt, len(one), two)
    await go_back(plumber, before)
    with pytest.raises(SessionOver):
        await agent.append(attempt, len(one + two), one)
    await agent.connect()
    assert await agent.append(attempt, len(one + two), b"") == len(one)
    assert await agent.append(attempt, len(one), two) == len(one + two)
    await agent.report(attempt, log_end=len(one + two))
    assert (await only_step(plumber, execution)).attempts[0].log_complete


async def test_attempts_of_an_execution_that_was_forgotten_are_strays_that_people_see(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    before = await remember(plumber)
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    await go_back(plumber, before)
    await agent.connect()
    assert (await agent.report(attempt, state="failed", exit_code=7)).status == "late"
    assert (await agent.report(attempt, state="failed", exit_code=7)).status == "late"
    [stray] = (await plumber.agents.strays(agent="a")).items
    assert (stray.attempt, stray.execution, stray.state, stray.exit_code) == (attempt, execution, "failed", 7)
    assert (stray.task, stray.step) == ("", "")
    assert (await plumber.agents.show(agent="a")).strays == 1
    assert {"attempt.stray", "attempt.stray_ended"} <= set(await events(plumber))


async def test_an_agent_cannot_adopt_what_is_anothers(plumber: Plumber) -> None:
    owner = await ScriptedAgent.create(plumber, "owner")
    thief = await ScriptedAgent.create(plumber, "thief")
    before = await remember(plumber)
    execution = await start(plumber, ONE, on="owner")
    attempt = (await owner.take()).attempt
    thief.held = {f"{attempt}0": "running"}
    await thief.connect()
    assert [one.id for one in (await only_step(plumber, execution)).attempts] == [attempt]
    await go_back(plumber, before)
    thief.held = {"nonsense": "running", attempt: "running"}
    await thief.connect()
    assert [stray.attempt for stray in (await plumber.agents.strays(agent="thief")).items] == [attempt]
    assert (await plumber.agents.strays(agent="owner")).items == []
    assert (await owner.hello(epoch=thief.epoch)).status == "ok"


async def test_an_agent_that_comes_back_without_its_memory_after_a_failover_has_lost_what_it_ran(
    plumber: Plumber,
) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    await agent.take()
    await go_back(plumber, await remember(plumber))
    await ScriptedAgent(plumber, agent.config).connect(install="another folder")
    step = await only_step(plumber, execution)
    assert (step.state, step.attempts[0].error) == ("lost", "state_lost")
