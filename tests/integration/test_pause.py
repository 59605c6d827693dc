"""A paused execution starts nothing more, and goes on exactly where it was, on both databases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from sqlalchemy import update

from plumber_core.app import Plumber
from plumber_core.engine.reap import notice_silence, sweep
from plumber_core.errors import Conflict, NotFound
from plumber_core.model.task import Retry, Step
from plumber_core.protocol.messages import Cancel
from plumber_core.storage import tables as t
from support.absence import let_silence_last
from support.embedded import due, show, start, states
from support.pausing import ONE, TWO, go_on, let_time_pass, pause
from support.rollouts import LATER, block, fleet, let_pauses_end, states_of
from support.rounds import happened, newest
from support.scripted_agent import ScriptedAgent
from support.waiting import wait_until


async def test_what_runs_ends_and_nothing_follows_until_it_is_continued(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, ONE, TWO)
    await pause(plumber, execution, "lunch")
    for agent in (first, second):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, newest(detail)["two"]) == ("paused", ["blocked", "blocked"])
    why = detail.waiting
    assert why is not None and (why["code"], why["by"], why["reason"]) == ("paused_why", "system", "lunch")
    assert [step.waiting for step in detail.steps if step.step == "two"] == [why, why]
    assert (await plumber.executions.matrix(execution=execution)).waiting == why
    assert first.idle and second.idle
    assert await go_on(plumber, execution) == "running"
    for agent in (first, second):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.waiting) == ("succeeded", None)
    told = await happened(plumber, execution, "execution.paused", "execution.continued")
    assert told == [
        ("execution.paused", {"by": "system", "reason": "lunch"}),
        ("execution.continued", {"by": "system", "reason": "", "passed": 0}),
    ]


async def test_one_with_nothing_left_ends_when_it_is_continued(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, ONE)
    await pause(plumber, execution)
    await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "paused"
    assert await go_on(plumber, execution) == "succeeded"


async def test_what_is_ready_is_not_taken_by_an_agent_that_comes_back(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    await agent.disconnect()
    execution = await start(plumber, ONE)
    await pause(plumber, execution)
    await agent.connect()
    await sweep(plumber._engine)
    assert agent.idle and await states(plumber, execution) == ["ready"]
    await let_time_pass(plumber)
    await go_on(plumber, execution)
    await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def taker_of(agents: list[ScriptedAgent]) -> ScriptedAgent:
    """Wait until one of them was handed something."""
    await wait_until(lambda: any(not agent.inbox.empty() for agent in agents))
    return next(agent for agent in agents if not agent.inbox.empty())


async def test_a_claim_that_was_not_started_is_given_back_and_waits(plumber: Plumber) -> None:
    agents = [await ScriptedAgent.create(plumber, name, role="web") for name in ("a", "b")]
    execution = await start(plumber, Step(name="one", run="1", on="any 1 of role=web"))
    taker = await taker_of(agents)
    claimed = await taker.take()
    await pause(plumber, execution)
    assert await taker.start(claimed.attempt) == "gone"
    await sweep(plumber._engine)
    assert await states(plumber, execution) == ["ready"] and all(agent.inbox.empty() for agent in agents)
    await go_on(plumber, execution)
    again = await (await taker_of(agents)).take()
    assert again.attempt != claimed.attempt


async def test_what_never_ran_waits_too(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, ONE)
    taken = await agent.take()
    await pause(plumber, execution)
    await agent.never_ran(taken.attempt, agent.boot_id)
    await sweep(plumber._engine)
    assert agent.idle and await states(plumber, execution) == ["ready"]
    await go_on(plumber, execution)
    await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_nothing_is_tried_again_until_it_goes_on_and_then_in_its_time(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, Step(name="one", run="one", retry=Retry(attempts=3, delay=60)))
    await agent.work("failed")
    await pause(plumber, execution)
    await let_time_pass(plumber)
    await due(plumber)
    assert agent.idle and await states(plumber, execution) == ["retry_wait"]
    await go_on(plumber, execution)
    again = await agent.take()
    await pause(plumber, execution)
    await agent.report(again.attempt, state="failed", exit_code=1)
    await go_on(plumber, execution)
    await due(plumber)
    assert agent.idle and await states(plumber, execution) == ["retry_wait"], "its delay is not over"
    await let_time_pass(plumber)
    await due(plumber)
    await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_batch_does_not_begin_until_it_goes_on(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, block("one", batches="1", pause=60.0), TWO)
    await first.work("succeeded")
    await pause(plumber, execution)
    with pytest.raises(Conflict, match="continue it first"):
        await plumber.executions.go(execution=execution)
    await let_pauses_end(plumber)
    await due(plumber)
    assert second.idle and states_of(await show(plumber, execution)) == ["passed", "waiting"]
    await go_on(plumber, execution)
    await due(plumber)
    await second.work("succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_the_pause_between_two_batches_begins_when_it_goes_on(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, block("one", batches="1", pause="manual"))
    taken = await first.take()
    await pause(plumber, execution)
    await first.report(taken.attempt)
    await go_on(plumber, execution)
    detail = await show(plumber, execution)
    assert detail.rollouts[0].waiting == {"code": "batch_go", "block": "roll out", "batch": 1, "batches": 2}
    await plumber.executions.go(execution=execution)
    await second.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_failures_meanwhile_count_against_the_limit(plumber: Plumber) -> None:
    hosts = await fleet(plumber, 4)
    execution = await start(plumber, block("one", "two", batches="2", max_failures=1), Step(name="after", run="after"))
    taken = [await host.take() for host in hosts[:2]]
    await pause(plumber, execution)
    for assignment, host in zip(taken, hosts, strict=False):
        await host.report(assignment.attempt, state="failed", exit_code=1)
    assert (await show(plumber, execution)).state == "paused"
    assert await go_on(plumber, execution) == "failed"
    detail = await show(plumber, execution)
    assert newest(detail)["one"] == ["failed", "failed", "skipped", "skipped"]
    assert all(host.idle for host in hosts)
    await plumber.executions.resume(execution=execution)
    for host in hosts[:2]:
        await host.work("succeeded", "succeeded")
    for host in hosts[2:]:
        await host.work("succeeded", "succeeded")
    for host in hosts:
        await host.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_allowed_failures_meanwhile_are_warnings(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    tolerant = Step(name="zero", run="zero", on="h0", on_failure="continue")
    execution = await start(plumber, tolerant, block("one", batches="1", max_failures=1), TWO)
    taken = await first.take()
    await pause(plumber, execution)
    await first.report(taken.attempt, state="failed", exit_code=1)
    await go_on(plumber, execution)
    taken = await first.take()
    await pause(plumber, execution)
    await first.report(taken.attempt, state="failed", exit_code=1)
    await go_on(plumber, execution)
    await second.work("succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 2)


@pytest.mark.parametrize("running", [False, True])
async def test_a_paused_execution_can_be_cancelled(plumber: Plumber, running: bool) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, ONE, TWO)
    taken = await agent.take()
    await pause(plumber, execution)
    if not running:
        await agent.report(taken.attempt)
    cancelled = await plumber.executions.cancel(execution=execution)
    if running:
        assert (cancelled.state, cancelled.cancel_requested) == ("running", True)
        with pytest.raises(Conflict, match="this one is cancelling"):
            await plumber.executions.pause(execution=execution)
        assert isinstance(await agent.next(), Cancel)
        await agent.report(taken.attempt, state="cancelled")
    detail = await show(plumber, execution)
    assert (detail.state, detail.waiting) == ("cancelled", None)
    assert newest(detail)["two"] == ["cancelled"]
    await plumber.executions.resume(execution=execution)
    await agent.work(*["succeeded"] * (1 + running))
    assert (await show(plumber, execution)).state == "succeeded"


async def test_what_always_runs_waits_as_well(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    tidy = Step(name="tidy", run="tidy")
    execution = await start(plumber, ONE, always=[tidy])
    await pause(plumber, execution)
    await agent.work("failed")
    await due(plumber)
    assert agent.idle and (await show(plumber, execution)).state == "paused"
    assert await go_on(plumber, execution) == "running"
    taken = await agent.take()
    assert taken.spec.step == "tidy"
    await pause(plumber, execution)
    await let_time_pass(plumber)
    await due(plumber)
    await agent.report(taken.attempt)
    assert await go_on(plumber, execution) == "failed"


async def test_the_cancel_of_a_paused_one_lets_what_always_runs_begin(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, ONE, TWO, always=[Step(name="tidy", run="tidy")])
    await pause(plumber, execution)
    await agent.work("succeeded")
    await plumber.executions.cancel(execution=execution)
    taken = await agent.take()
    assert taken.spec.step == "tidy"
    await agent.report(taken.attempt)
    assert (await show(plumber, execution)).state == "cancelled"


async def test_branches_and_conditions_go_on(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    steps = (
        Step(name="one", run="one"),
        Step(name="two", run="two", needs=("one",), when="success()"),
        Step(name="three", run="three", needs=("one",), when="agent.name == 'other'"),
        Step(name="four", run="four", needs=("two", "three")),
    )
    execution = await start(plumber, *steps)
    await pause(plumber, execution)
    await agent.work("succeeded")
    assert agent.idle
    await go_on(plumber, execution)
    taken = await agent.take()
    assert taken.spec.step == "two"
    await pause(plumber, execution)
    await agent.report(taken.attempt)
    await go_on(plumber, execution)
    await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, newest(detail)["three"]) == ("succeeded", ["skipped"])


async def test_the_state_is_in_the_database_alone(database_url: str) -> None:
    async with Plumber(database_url, local_agent=False) as plumber:
        [agent] = await fleet(plumber, 1)
        execution = await start(plumber, ONE, TWO)
        taken = await agent.take()
        await pause(plumber, execution)
    async with Plumber(database_url, local_agent=False) as plumber:
        agent.plumber = plumber  # type: ignore[attr-defined]
        assert (await show(plumber, execution)).state == "paused"
        await sweep(plumber._engine)
        assert await go_on(plumber, execution) == "running"
        detail = await show(plumber, execution)
        assert [step.state for step in detail.steps] == ["running", "blocked"] and taken.attempt


async def test_a_silent_step_is_lost_during_a_pause_as_at_any_time(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, ONE, TWO)
    await agent.take()
    await pause(plumber, execution)
    await agent.disconnect()
    moved = update(t.step_executions).values(started_at=t.step_executions.c.started_at - LATER)
    await plumber._store.database.write(lambda connection: connection.execute(moved) and None)
    await let_silence_last(plumber)
    await notice_silence(plumber._engine)
    assert (await show(plumber, execution)).state == "paused"
    assert await states(plumber, execution) == ["lost", "blocked"]
    assert await go_on(plumber, execution) == "failed"


async def test_what_cannot_be_paused_or_continued_says_why(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, ONE)
    with pytest.raises(Conflict, match="this one is running"):
        await plumber.executions.continue_(execution=execution)
    await pause(plumber, execution)
    with pytest.raises(Conflict, match="this one is paused"):
        await plumber.executions.pause(execution=execution)
    with pytest.raises(Conflict, match="this one is paused"):
        await plumber.executions.resume(execution=execution)
    await agent.work("succeeded")
    await go_on(plumber, execution)
    ask: list[Callable[..., Awaitable[object]]] = [plumber.executions.pause, plumber.executions.continue_]
    for verb in ask:
        with pytest.raises(Conflict):
            await verb(execution=execution)
        with pytest.raises(NotFound):
            await verb(execution="none")
