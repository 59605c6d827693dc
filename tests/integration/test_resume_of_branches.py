"""Executions with branches, conditions and steps that always run are resumed too, on both databases."""

from __future__ import annotations

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import Conflict
from plumber_core.model.task import Step
from support.embedded import show, start
from support.pausing import go_on
from support.rollouts import Host, block, fleet
from support.rounds import newest, older

TIDY = Step(name="tidy", run="tidy")


def after(name: str, *needs: str, **more: str) -> Step:
    return Step(name=name, run=name, needs=needs, **more)


async def work(host: Host, **ends: str) -> None:
    """Carry out what there is, in the order of the names that are expected."""
    for name, end in ends.items():
        taken, host.following = host.following or await host.take(), None
        assert taken.spec.step == name
        answer = await host.report(taken.attempt, state=end, exit_code=int(end != "succeeded"))
        host.following = answer.next


async def test_what_always_runs_does_so_again_behind_what_is_left(plumber: Plumber) -> None:
    [host] = await fleet(plumber, 1)
    execution = await start(plumber, Step(name="a", run="a"), Step(name="b", run="b"), always=[TIDY])
    await work(host, a="succeeded", b="failed", tidy="succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.resumable) == ("failed", True)
    before = await older(plumber, execution)
    preview = await plumber.executions.preview_resume(execution=execution)
    assert ([(step.name, step.hosts) for step in preview.steps], preview.kept) == ([("b", 1), ("tidy", 1)], 1)
    await plumber.executions.resume(execution=execution)
    await work(host, b="succeeded", tidy="succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.main_state, detail.round) == ("succeeded", "succeeded", 1)
    after_all = await older(plumber, execution)
    assert {id_: after_all[id_] for id_ in before} == before


async def test_only_the_broken_branch_and_what_needs_it_run_again(plumber: Plumber) -> None:
    [host] = await fleet(plumber, 1)
    execution = await start(plumber, after("a"), after("b", "a"), after("c", "b"), after("d", "a"))
    await host.work("succeeded")
    for _ in range(2):
        taken, host.following = host.following or await host.take(), None
        end = "failed" if taken.spec.step == "b" else "succeeded"
        host.following = (await host.report(taken.attempt, state=end, exit_code=int(end == "failed"))).next
    cells = newest(await show(plumber, execution))
    assert cells == {"a": ["succeeded"], "b": ["failed"], "c": ["skipped"], "d": ["succeeded"]}
    await plumber.executions.resume(execution=execution)
    await work(host, b="succeeded", c="succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, [step.round for step in detail.steps]) == ("succeeded", [0, 0, 1, 0, 1, 0])


async def test_conditions_that_ask_how_it_went_are_asked_again(plumber: Plumber) -> None:
    [host] = await fleet(plumber, 1)
    execution = await start(plumber, Step(name="a", run="a"), Step(name="help", run="help", when="failed()"))
    await work(host, a="failed", help="succeeded")
    for end in ("failed", "succeeded"):
        assert (await show(plumber, execution)).state == "failed"
        await plumber.executions.resume(execution=execution)
        ends = {"a": end, **({"help": "succeeded"} if end == "failed" else {})}
        await work(host, **ends)
    detail = await show(plumber, execution)
    assert (detail.state, newest(detail)["help"]) == ("succeeded", ["skipped"])
    assert host.idle


async def test_a_rollout_in_a_branch_goes_on_with_its_batches(plumber: Plumber) -> None:
    hosts = await fleet(plumber, 3)
    rollout = block("one", "two", batches="1").model_copy(update={"needs": ("a",)})
    execution = await start(plumber, after("a"), rollout)
    for host in hosts:
        await host.work("succeeded")
    await hosts[0].work("succeeded", "succeeded")
    await hosts[1].work("failed")
    assert (await show(plumber, execution)).state == "failed"
    await plumber.executions.resume(execution=execution)
    for host in hosts[1:]:
        await work(host, one="succeeded", two="succeeded")
    assert (await show(plumber, execution)).state == "succeeded" and hosts[0].idle


async def test_hosts_that_are_not_chosen_are_left_out_and_told_of(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, Step(name="a", run="a"), Step(name="b", run="b"), always=[TIDY])
    for host in (first, second):
        await host.work("failed")
    for host in (first, second):
        await host.work("succeeded")
    await plumber.executions.resume(execution=execution, hosts=["h0"])
    await work(first, a="succeeded", b="succeeded", tidy="succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, second.idle) == ("failed", True)
    assert detail.problem is not None and detail.problem["code"] == "left_out"
    await plumber.executions.resume(execution=execution)
    await work(second, a="succeeded", b="succeeded", tidy="succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_one_that_was_cancelled_goes_on(plumber: Plumber) -> None:
    [host] = await fleet(plumber, 1)
    execution = await start(plumber, after("a"), after("b", "a"), always=[TIDY])
    await host.work("succeeded")
    taken, host.following = host.following or await host.take(), None
    await plumber.executions.cancel(execution=execution)
    await host.next()
    host.following = (await host.report(taken.attempt, state="cancelled")).next
    await host.work("succeeded")
    assert (await show(plumber, execution)).state == "cancelled"
    await plumber.executions.resume(execution=execution)
    await work(host, b="succeeded", tidy="failed")
    detail = await show(plumber, execution)
    assert (detail.state, detail.main_state) == ("failed", "succeeded")
    await plumber.executions.resume(execution=execution)
    await work(host, tidy="succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_the_newest_revision_is_taken_unless_its_branches_are_others(plumber: Plumber) -> None:
    [host] = await fleet(plumber, 1)
    text = "name: t\non: all\nsteps:\n  - {name: a, run: A}\n  - {name: b, run: b, needs: [NEEDS]}\n"
    await plumber.tasks.apply(source=text.replace("NEEDS", "a"))
    execution = (await plumber.tasks.run(task="t")).id
    await work(host, a="failed")
    await plumber.tasks.apply(source=text.replace(", needs: [NEEDS]", ""))
    with pytest.raises(Conflict, match="does not fit"):
        await plumber.executions.resume(execution=execution, revision="new")
    await plumber.tasks.apply(source=text.replace("NEEDS", "a").replace("A}", "fixed}"))
    await plumber.executions.resume(execution=execution, revision="new")
    taken = await host.take()
    assert taken.spec.params["run"] == "fixed"
    host.following = (await host.report(taken.attempt)).next
    await work(host, b="succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_stuck_step_of_a_branch_is_helped_while_it_is_paused(plumber: Plumber) -> None:
    [host] = await fleet(plumber, 1)
    execution = await start(plumber, after("a", on_failure="pause"), after("b", "a"), always=[TIDY])
    await host.work("failed")
    retry = plumber.executions.retry_step
    await retry(execution=execution, step="a", host="h0", reason="fixed")
    await go_on(plumber, execution)
    await work(host, a="succeeded", b="failed", tidy="succeeded")
    with pytest.raises(Conflict, match="resume it once it has ended"):
        await retry(execution=execution, step="b", host="h0", reason="again")
