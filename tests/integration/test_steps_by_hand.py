"""One step on one host in somebody's own hands: tried again, skipped, marked as done, on both databases."""

from __future__ import annotations

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import Conflict, InvalidRequest, NotFound
from plumber_core.model.task import Step
from support.embedded import show, start
from support.rollouts import block, fleet, states_of
from support.rounds import happened, newest, older


async def test_a_stuck_step_is_tried_again_and_the_execution_goes_on(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, *(Step(name=name, run=name) for name in ("one", "two")))
    await first.work("succeeded")
    await second.work("failed")
    before = await older(plumber, execution)
    again = await plumber.executions.retry_step(execution=execution, step="one", host="h1", reason="flaky mirror")
    assert (again.state, again.round) == ("running", 1)
    assert newest(await show(plumber, execution))["two"] == ["blocked", "blocked"]
    await second.work("succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert detail.state == "succeeded"
    after = await older(plumber, execution)
    assert {id_: after[id_] for id_ in before} == before
    [(_, told)] = await happened(plumber, execution, "execution.step_retry")
    assert told == {
        "by": "system",
        "reason": "flaky mirror",
        "round": 1,
        "step": 0,
        "host": second.config.id,
        "lane": 1,
    }


async def test_a_step_that_fails_again_ends_the_execution_again(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, *(Step(name=name, run=name) for name in ("one", "two")))
    await first.work("failed")
    await second.work("failed")
    for agent, name in ((first, "h0"), (second, "h1")):
        await plumber.executions.retry_step(execution=execution, step="one", host=name, reason="again")
        await agent.work("succeeded" if agent is first else "failed")
        assert (await show(plumber, execution)).state == "failed"
    await plumber.executions.retry_step(execution=execution, step="one", host="h1", reason="again")
    await second.work("succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_skipped_step_lets_its_host_and_all_others_go_on(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, block("one", "two", batches="1"), Step(name="after", run="after"))
    await first.work("failed")
    await plumber.executions.skip_step(execution=execution, step="one", host="h0", reason="not needed here")
    await first.work("succeeded")
    await second.work("succeeded", "succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, states_of(detail)) == ("succeeded", ["passed", "passed"])
    assert newest(detail)["one"] == ["skipped", "succeeded"]
    assert [step.by_hand for step in detail.steps if step.step == "one"] == [None, "skip", None, None]


async def test_the_last_step_marked_as_done_ends_the_execution_well(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, Step(name="one", run="one"))
    await first.work("failed")
    await second.work("failed")
    one = await plumber.executions.mark_done(execution=execution, step="one", host="h0", reason="did it by hand")
    assert (one.state, one.round) == ("failed", 1)
    both = await plumber.executions.mark_done(execution=execution, step="one", host="h1", reason="this one, too")
    assert (both.state, both.round) == ("succeeded", 2)
    assert both.ended_at is not None
    kinds = [kind for kind, _ in await happened(plumber, execution, "execution.step_done", "execution.succeeded")]
    assert kinds == ["execution.step_done", "execution.step_done", "execution.succeeded"]
    assert first.idle and second.idle


async def test_a_host_of_a_running_execution_is_helped_while_the_others_work(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, block("one", "two"), Step(name="after", run="after"))
    await first.work("failed")
    await plumber.executions.retry_step(execution=execution, step="one", host="h0", reason="again")
    await first.work("succeeded", "failed")
    await plumber.executions.mark_done(execution=execution, step="two", host="h0", reason="started it myself")
    await second.work("succeeded", "succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.counts) == ("succeeded", {"succeeded": 6})
    assert [step.round for step in detail.steps if step.step == "one"] == [0, 1, 0]


async def test_a_resumed_execution_is_helped_too(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, *(Step(name=name, run=name) for name in ("one", "two")))
    await first.work("failed")
    await second.work("failed")
    await plumber.executions.resume(execution=execution)
    await first.work("failed")
    await plumber.executions.skip_step(execution=execution, step="one", host="h0", reason="never mind")
    await second.work("succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_what_cannot_be_taken_in_hand_says_why(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, block("one", batches="1", max_failures=1), Step(name="after", run="after"))
    retry = plumber.executions.retry_step
    with pytest.raises(Conflict, match="has not ended there: it is running"):
        await retry(execution=execution, step="one", host="h0", reason="again")
    await first.work("failed")
    with pytest.raises(Conflict, match="gone on without step one there"):
        await retry(execution=execution, step="one", host="h0", reason="again")
    with pytest.raises(InvalidRequest, match="reason"):
        await retry(execution=execution, step="one", host="h0", reason="  ")
    with pytest.raises(NotFound, match="step two"):
        await retry(execution=execution, step="two", host="h0", reason="again")
    await second.work("succeeded")
    await first.work("failed")
    await second.work("succeeded")
    with pytest.raises(Conflict, match="has ended well there"):
        await retry(execution=execution, step="one", host="h1", reason="again")
    await plumber.executions.cancel(execution=await start(plumber, Step(name="one", run="one")))
