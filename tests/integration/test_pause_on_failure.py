"""A failure pauses its execution, and people decide, on both databases."""

from __future__ import annotations

import pytest

from plumber_core.app import Plumber
from plumber_core.model.task import Retry, Step
from support.embedded import due, show, start
from support.pausing import TWO, go_on, pause
from support.rollouts import Host, block, fleet
from support.rounds import happened, newest

ASKS = Step(name="one", run="one", on_failure="pause")


async def stuck(plumber: Plumber, *steps: Step) -> tuple[str, Host, Host]:
    """Return an execution that has paused because a step has failed on the first of two hosts."""
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, *(steps or (ASKS, TWO)))
    await first.work("failed")
    await second.work("succeeded")
    assert first.idle and second.idle
    return execution, first, second


async def test_a_failure_pauses_and_says_so(plumber: Plumber) -> None:
    execution, _, _ = await stuck(plumber)
    detail = await show(plumber, execution)
    assert detail.state == "paused" and detail.waiting is not None
    told = {name: value for name, value in detail.waiting.items() if name != "since"}
    assert told == {"code": "paused_failed", "step": "one", "host": "h0"}
    assert newest(detail) == {"one": ["failed", "succeeded"], "two": ["blocked", "blocked"]}
    assert await happened(plumber, execution, "execution.paused") == [("execution.paused", told)]


async def test_to_go_on_passes_the_failure_over_with_a_warning(plumber: Plumber) -> None:
    execution, first, second = await stuck(plumber)
    await go_on(plumber, execution)
    for agent in (first, second):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)
    assert newest(detail) == {"one": ["skipped", "succeeded"], "two": ["succeeded", "succeeded"]}


@pytest.mark.parametrize("deed", ["retry", "skip", "done"])
async def test_people_help_and_it_goes_on(plumber: Plumber, deed: str) -> None:
    execution, first, second = await stuck(plumber)
    verbs = {
        "retry": plumber.executions.retry_step,
        "skip": plumber.executions.skip_step,
        "done": plumber.executions.mark_done,
    }
    view = await verbs[deed](execution=execution, step="one", host="h0", reason="fixed")
    assert view.state == "paused" and first.idle
    await go_on(plumber, execution)
    if deed == "retry":
        await first.work("succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 0)


async def test_what_fails_again_pauses_again(plumber: Plumber) -> None:
    execution, first, _ = await stuck(plumber)
    for _ in range(2):
        await plumber.executions.retry_step(execution=execution, step="one", host="h0", reason="again")
        await go_on(plumber, execution)
        await first.work("failed")
        assert (await show(plumber, execution)).state == "paused"


async def test_one_that_was_cancelled_then_is_resumed_at_its_failure(plumber: Plumber) -> None:
    execution, first, second = await stuck(plumber)
    await plumber.executions.cancel(execution=execution)
    assert (await show(plumber, execution)).state == "cancelled"
    await plumber.executions.resume(execution=execution)
    await first.work("succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_it_is_tried_again_first_and_a_cancelled_one_does_not_pause(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, Step(name="one", run="1", on_failure="pause", retry=Retry(attempts=2, delay=0)))
    await agent.work("failed")
    assert (await show(plumber, execution)).state == "running"
    await due(plumber)
    taken = await agent.take()
    await plumber.executions.cancel(execution=execution)
    await agent.report(taken.attempt, state="failed", exit_code=1)
    assert (await show(plumber, execution)).state == "cancelled"


async def test_in_a_rollout_a_failure_pauses_before_it_counts(plumber: Plumber) -> None:
    first, second, third = await fleet(plumber, 3)
    inner = (Step(name="one", run="one", on_failure="pause"), Step(name="two", run="two"))
    execution = await start(plumber, Step(name="roll out", steps=inner, rollout=block("x", batches="1").rollout))
    await first.work("failed")
    assert (await show(plumber, execution)).state == "paused"
    await plumber.executions.retry_step(execution=execution, step="one", host="h0", reason="fixed")
    await go_on(plumber, execution)
    await first.work("succeeded", "succeeded")
    await second.work("failed")
    await go_on(plumber, execution)
    await second.work("succeeded")
    await third.work("succeeded", "succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)


async def test_a_failure_during_a_pause_is_its_reason_from_then_on(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, ASKS, TWO)
    await pause(plumber, execution, "lunch")
    await first.work("failed")
    await second.work("succeeded")
    detail = await show(plumber, execution)
    assert detail.waiting is not None and detail.waiting["code"] == "paused_failed"
