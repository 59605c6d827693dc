"""Hosts, and steps on them, are cancelled while the rest of the execution goes on, on both databases."""

from __future__ import annotations

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import Conflict, NotFound
from plumber_core.model.task import Retry, Step
from plumber_core.protocol.messages import Cancel
from support.embedded import due, show, start, states
from support.pausing import ONE, TWO, go_on, pause
from support.rollouts import Host, block, fleet, states_of
from support.rounds import happened, newest


async def stop(host: Host, attempt: str, **outcome: object) -> None:
    """Hear that an attempt is to end, and end it."""
    assert await host.next() == Cancel(attempt)
    answer = await host.report(attempt, **{"state": "cancelled", **outcome})
    host.following = answer.next


async def test_a_host_is_taken_out_and_the_others_go_on(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, ONE, TWO)
    taken = await second.take()
    await first.work("succeeded")
    view = await plumber.executions.cancel(execution=execution, hosts=["h1"], reason="it burns")
    assert (view.state, view.cancel_requested, view.warnings, view.round) == ("running", False, 1, 1)
    assert newest(await show(plumber, execution)) == {
        "one": ["succeeded", "cancelling"],
        "two": ["blocked", "cancelled"],
    }
    await stop(second, taken.attempt)
    await first.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)
    assert newest(detail) == {"one": ["succeeded", "cancelled"], "two": ["succeeded", "cancelled"]}
    assert second.idle
    [(_, told)] = await happened(plumber, execution, "execution.host_cancelled")
    assert told == {"by": "system", "reason": "it burns", "round": 1, "running": 1, "hosts": ["h1"]}


@pytest.mark.parametrize("end", ["succeeded", "failed"])
async def test_however_its_last_step_ends_it_is_nobodys_failure(plumber: Plumber, end: str) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, ONE, TWO)
    taken = await second.take()
    await plumber.executions.cancel(execution=execution, hosts=["h1"])
    await stop(second, taken.attempt, state=end, exit_code=int(end == "failed"))
    await first.work("succeeded", "succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)


async def test_the_last_host_ends_its_stage_as_it_is_taken_out(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    await second.disconnect()
    execution = await start(plumber, ONE, TWO)
    await first.work("succeeded")
    assert first.idle
    await plumber.executions.cancel(execution=execution, hosts=["h1"])
    await first.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"
    await second.connect()
    assert second.idle


async def test_a_host_that_is_taken_out_of_a_rollout_does_not_count(plumber: Plumber) -> None:
    first, second, third = await fleet(plumber, 3)
    execution = await start(plumber, block("one", "two", batches="1"), Step(name="after", run="after"))
    taken = await first.take()
    await plumber.executions.cancel(execution=execution, hosts=["h0", "h2"])
    await stop(first, taken.attempt)
    await second.work("succeeded", "succeeded", "succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 2)
    assert states_of(detail)[1] == "passed" and third.idle


async def test_all_hosts_taken_out_leave_nothing_to_do(plumber: Plumber) -> None:
    await fleet(plumber, 2)
    execution = await start(plumber, ONE, always=[Step(name="tidy", run="tidy", on="h0")])
    await plumber.executions.cancel(execution=execution, hosts=["h1"])
    assert (await show(plumber, execution)).state == "running"
    await plumber.executions.cancel(execution=execution, hosts=["h0"])
    assert newest(await show(plumber, execution))["tidy"] == ["cancelled"]


async def test_a_host_is_left_out_of_branches_and_of_what_always_runs(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    steps = (ONE, Step(name="two", run="two", needs=("one",)), Step(name="three", run="three", needs=("two",)))
    execution = await start(plumber, *steps, always=[Step(name="tidy", run="tidy")])
    await first.work("succeeded")
    taken = await second.take()
    await plumber.executions.cancel(execution=execution, hosts=["h1"])
    await stop(second, taken.attempt)
    await first.work("succeeded", "succeeded", "succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)
    assert newest(detail)["tidy"] == ["succeeded", "cancelled"] and second.idle


async def test_a_step_that_is_cancelled_on_a_host_has_failed_there(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, block("one", "two", max_failures=1), Step(name="after", run="after"))
    taken = await first.take()
    view = await plumber.executions.cancel(execution=execution, step="one", hosts=["h0"], reason="it hangs")
    assert view.state == "running"
    await stop(first, taken.attempt)
    await second.work("succeeded", "succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)
    assert newest(detail)["one"] == ["cancelled", "succeeded"] and newest(detail)["two"] == ["skipped", "succeeded"]


async def test_a_step_that_is_cancelled_everywhere_ends_the_run_as_a_failure_does(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    await second.disconnect()
    execution = await start(plumber, ONE, TWO)
    taken = await first.take()
    await plumber.executions.cancel(execution=execution, step="one")
    assert newest(await show(plumber, execution))["one"] == ["cancelling", "cancelled"]
    await stop(first, taken.attempt)
    detail = await show(plumber, execution)
    assert (detail.state, newest(detail)["two"]) == ("failed", ["skipped", "skipped"])
    await second.connect()
    await plumber.executions.resume(execution=execution)
    for agent in (first, second):
        await agent.work("succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_step_that_may_fail_may_be_cancelled(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, Step(name="one", run="one", on_failure="continue"), TWO)
    taken = await agent.take()
    await plumber.executions.cancel(execution=execution, step="one")
    await stop(agent, taken.attempt)
    await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 1)


async def test_what_waits_for_its_next_attempt_is_not_tried_again(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, Step(name="one", run="one", retry=Retry(attempts=3, delay=60)), TWO)
    await first.work("failed")
    taken = await second.take()
    await plumber.executions.cancel(execution=execution, hosts=["h0", "h1"])
    await stop(second, taken.attempt, state="failed", exit_code=1)
    await due(plumber)
    assert first.idle and second.idle and (await show(plumber, execution)).state == "succeeded"


async def test_a_host_of_a_paused_execution_is_taken_out_too(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, ONE, TWO)
    await pause(plumber, execution)
    taken = await second.take()
    await first.work("succeeded")
    assert (await plumber.executions.cancel(execution=execution, hosts=["h1"])).state == "paused"
    await stop(second, taken.attempt)
    await go_on(plumber, execution)
    await first.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded" and second.idle


async def test_a_second_cancel_kills(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, ONE)
    taken = await agent.take()
    for kill in (False, True):
        await plumber.executions.cancel(execution=execution, hosts=["h0"])
        assert await agent.next() == Cancel(taken.attempt, kill=kill)
    await agent.report(taken.attempt, state="cancelled")
    detail = await show(plumber, execution)
    assert detail.state == "succeeded"


async def test_an_execution_that_is_resumed_leaves_them_out_unless_they_are_named(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, ONE, TWO)
    mine, other = await first.take(), await second.take()
    await plumber.executions.cancel(execution=execution, hosts=["h0"])
    await stop(first, mine.attempt)
    await second.report(other.attempt, state="failed", exit_code=1)
    assert (await show(plumber, execution)).state == "failed"
    await plumber.executions.resume(execution=execution)
    await second.work("succeeded", "failed")
    assert first.idle and (await show(plumber, execution)).state == "failed"
    await plumber.executions.resume(execution=execution, hosts=["h0", "h1"], from_step="one")
    for agent in (first, second):
        await agent.work("succeeded")
    for agent in (first, second):
        await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_what_cannot_be_cancelled_says_why(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, ONE, TWO)
    cancel = plumber.executions.cancel
    with pytest.raises(NotFound):
        await cancel(execution=execution, hosts=["h9"])
    with pytest.raises(NotFound):
        await cancel(execution=execution, step="three")
    with pytest.raises(Conflict, match="nothing of that"):
        await cancel(execution=execution, step="two")
    await agent.work("succeeded", "succeeded")
    with pytest.raises(Conflict, match="this one is succeeded"):
        await cancel(execution=execution, hosts=["h0"])
    assert await states(plumber, execution) == ["succeeded", "succeeded"]


async def test_branches_that_have_not_begun_wait_for_their_turn(plumber: Plumber) -> None:
    first, _ = await fleet(plumber, 2)
    steps = (ONE, Step(name="two", run="two", needs=("one",)), Step(name="three", run="three", needs=("two",)))
    execution = await start(plumber, *steps, always=[Step(name="tidy", run="tidy")])
    taken = await first.take()
    await plumber.executions.cancel(execution=execution, hosts=["h1"])
    cells = newest(await show(plumber, execution))
    assert [cells[name][0] for name in ("two", "three", "tidy")] == ["blocked"] * 3
    await first.report(taken.attempt)
    cells = newest(await show(plumber, execution))
    assert [cells[name][0] for name in ("three", "tidy")] == ["blocked"] * 2
