"""Resume at host x step: new rounds of what is left, on both databases."""

from __future__ import annotations

import json

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import Conflict, InvalidRequest, NotFound
from plumber_core.model.task import Step
from support.embedded import show, start
from support.rollouts import Host, block, by_step, fleet, states_of
from support.rounds import happened, newest, older, source
from support.waiting import wait_until


async def test_what_has_failed_or_not_begun_runs_again_and_the_rest_is_kept(plumber: Plumber) -> None:
    first, second, third = await fleet(plumber, 3)
    steps = [Step(name=name, run=name) for name in ("one", "two", "three")]
    execution = await start(plumber, *steps)
    for agent in (first, second, third):
        await agent.work("succeeded")
    await first.work("failed")
    await second.work("succeeded")
    await third.work("failed")
    before = await older(plumber, execution)
    resumed = await plumber.executions.resume(execution=execution, reason="disk was full")
    assert (resumed.state, resumed.round, resumed.ended_at, resumed.problem) == ("running", 1, None, None)
    assert second.idle
    again = await first.take()
    assert again.attempt.startswith(f"{execution}-1-0-1-2-"), "attempts go on counting in the next round"
    await first.report(again.attempt)
    await third.work("succeeded")
    for agent in (first, second, third):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.counts) == ("succeeded", {"succeeded": 9})
    assert newest(detail) == {name: ["succeeded"] * 3 for name in ("one", "two", "three")}
    after = await older(plumber, execution)
    assert {id_: after[id_] for id_ in before} == before, "older rows have changed"
    assert [step.round for step in detail.steps if step.step == "two"] == [0, 1, 0, 0, 1]
    [(_, told)] = await happened(plumber, execution, "execution.resumed")
    expected = {"by": "system", "reason": "disk was full", "round": 1, "what": "rest", "steps": 5, "hosts": 3}
    assert {name: told[name] for name in expected} == expected
    matrix = await plumber.executions.matrix(execution=execution)
    assert [[matrix.state_names[code] for code in column] for column in matrix.states] == [["succeeded"] * 3] * 3


async def test_a_stopped_rollout_goes_on_with_the_rest_only(plumber: Plumber) -> None:
    agents = await fleet(plumber, 6)
    rollout = block("one", "two", batches="1 3 100%", max_failures=1)
    execution = await start(plumber, rollout, Step(name="after", run="after"))
    await agents[0].work("succeeded", "failed")
    await agents[1].work("succeeded", "succeeded")
    await agents[2].work("failed")
    await agents[3].work("succeeded", "succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, states_of(detail)) == ("failed", ["passed", "stopped", "skipped"])
    await plumber.executions.resume(execution=execution)
    assert agents[1].idle and agents[2].idle
    await agents[0].work("succeeded")
    assert agents[1].idle and agents[3].idle, "hosts that have ended well are touched again"
    await agents[2].work("succeeded", "succeeded")
    assert states_of(await show(plumber, execution)) == ["passed", "passed", "running"]
    for agent in agents[4:]:
        await agent.work("succeeded", "succeeded")
    for agent in agents:
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings, states_of(detail)) == ("succeeded", 0, ["passed"] * 3)
    assert len(detail.steps) == 18 + 13


async def test_a_resumed_rollout_stops_itself_again(plumber: Plumber) -> None:
    agents = await fleet(plumber, 4)
    execution = await start(plumber, block("one", batches="1 100%"))
    await agents[0].work("failed")
    await plumber.executions.resume(execution=execution)
    await agents[0].work("failed")
    detail = await show(plumber, execution)
    assert (detail.state, by_step(detail)["one"]) == (
        "failed",
        ["failed", "failed", "skipped", "skipped", "skipped", "skipped", "skipped", "skipped"],
    )
    await plumber.executions.resume(execution=execution)
    for agent in agents:
        await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_failed_hosts_alone_go_to_the_end_and_what_was_left_out_is_told(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, *(Step(name=name, run=name) for name in ("one", "two", "three")))
    await first.work("succeeded")
    await second.work("succeeded")
    await first.work("failed")
    await second.work("succeeded")
    preview = await plumber.executions.preview_resume(execution=execution, what="failed")
    assert [(host.name, host.steps) for host in preview.hosts] == [("h0", [1, 2])]
    assert (preview.steps_total, preview.kept, preview.left_out) == (2, 4, 1)
    await plumber.executions.resume(execution=execution, what="failed")
    await first.work("succeeded", "succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.problem) == ("failed", {"code": "left_out", "arguments": {"steps": 1}})
    assert second.idle
    await plumber.executions.resume(execution=execution)
    await second.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_chosen_hosts_run_again_from_the_chosen_step(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, block("one", "two"), Step(name="after", run="after"))
    await first.work("succeeded", "succeeded")
    await second.work("failed")
    await plumber.executions.resume(execution=execution, hosts=["h0"], from_step="two")
    await first.work("succeeded", "succeeded")
    assert second.idle
    assert newest(await show(plumber, execution)) == {
        "one": ["succeeded", "failed"],
        "two": ["succeeded", "skipped"],
        "after": ["succeeded", "skipped"],
    }
    await plumber.executions.resume(execution=execution, from_step="two")
    await second.work("succeeded", "succeeded")
    detail = await show(plumber, execution)
    assert newest(detail)["one"] == ["succeeded", "skipped"]
    assert [step.by_hand for step in detail.steps if step.step == "one"] == [None, None, "skip"]
    assert detail.state == "succeeded"
    told = [data for _, data in await happened(plumber, execution, "execution.resumed")]
    assert [(data.get("chosen"), data["passed"]) for data in told] == [(["h0"], 0), (None, 1)]


async def test_a_cancelled_execution_goes_on_where_it_was(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, block("one", "two", batches="1", pause="manual"))
    await first.work("succeeded", "succeeded")
    await plumber.executions.cancel(execution=execution)
    assert (await show(plumber, execution)).state == "cancelled"
    resumed = await plumber.executions.resume(execution=execution)
    assert (resumed.state, resumed.cancel_requested) == ("running", False)
    detail = await show(plumber, execution)
    assert detail.rollouts[0].waiting == {"code": "batch_go", "block": "roll out", "batches": 2, "batch": 1}
    await plumber.executions.go(execution=execution)
    await second.work("succeeded", "succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_late_report_of_an_older_round_changes_nothing(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, Step(name="one", run="one"))
    old = await agent.take()
    row = await plumber._store.step(f"{execution}-0-0-0")
    assert row is not None and row.attempt_id is not None
    await plumber.executions.cancel(execution=execution)
    await agent.next()
    await agent.report(old.attempt, state="cancelled", exit_code=None, signal=15)
    await plumber.executions.resume(execution=execution)
    again = await agent.take()
    late = await agent.report(old.attempt, state="failed", exit_code=3)
    assert late.status in ("conflict", "duplicate", "late")
    detail = await show(plumber, execution)
    assert [(step.state, len(step.attempts)) for step in detail.steps] == [("cancelled", 1), ("running", 1)]
    await agent.report(again.attempt)
    assert (await show(plumber, execution)).state == "succeeded"


async def test_outputs_of_finished_steps_are_kept_and_those_of_the_newest_round_count(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    steps = (
        Step(name="build", run="build"),
        Step(name="lint", run="lint"),
        Step(name="use", run="use", env={"SEEN": "${{ steps.build.outputs.version }}"}),
    )
    execution = await start(plumber, *steps)
    await agent.work("succeeded", version="v1")
    await agent.work("failed")
    await plumber.executions.resume(execution=execution)
    await agent.work("succeeded")
    following = agent.following
    assert following is not None and following.spec.env["SEEN"] == "v1"
    await agent.work("failed")
    await plumber.executions.resume(execution=execution, from_step="build")
    await agent.work("succeeded", version="v2")
    await agent.work("succeeded")
    following = agent.following
    assert following is not None and following.spec.env["SEEN"] == "v2"
    await agent.work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_pools_step_is_claimed_anew(plumber: Plumber) -> None:
    first, second = await fleet(plumber, 2)
    execution = await start(plumber, Step(name="one", run="one"), on="any 1 of all")
    await wait_until(lambda: not (first.idle and second.idle))
    claimer, other = (second, first) if first.idle else (first, second)
    taken = await claimer.take()
    assert await claimer.start(taken.attempt) == "go"
    await claimer.report(taken.attempt, state="failed", exit_code=1)
    await claimer.disconnect()
    await plumber.executions.resume(execution=execution)
    again = await other.take()
    assert again.attempt.startswith(f"{execution}-0-0-1-2-")
    assert await other.start(again.attempt) == "go"
    await other.report(again.attempt)
    detail = await show(plumber, execution)
    assert (detail.state, detail.counts) == ("succeeded", {"succeeded": 1})
    matrix = await plumber.executions.matrix(execution=execution)
    assert [host.id for host in matrix.hosts] == [other.config.id]


async def test_the_newest_revision_brings_other_commands_and_limits_but_no_other_hosts(plumber: Plumber) -> None:
    agents = await fleet(plumber, 3)
    await plumber.tasks.apply(source=source(rollout="{batches: '1 100%'}"))
    execution = (await plumber.tasks.run(task="shop")).id
    for agent in agents:
        await agent.work("succeeded")
    await agents[0].work("failed")
    fixed = source("./install-fixed", "{batches: '100%', max_failures: 2}")
    await plumber.tasks.apply(source=fixed)
    await Host.create(plumber, "h9")
    preview = await plumber.executions.preview_resume(execution=execution)
    assert (preview.revision, preview.newest) == (1, 2)
    assert "+      - {name: install, run: ./install-fixed" in preview.diff
    resumed = await plumber.executions.resume(execution=execution, revision="new")
    assert resumed.revision == 2
    taken = await agents[0].take()
    assert taken.spec.params == {"run": "./install-fixed"}
    await agents[0].report(taken.attempt, state="failed", exit_code=1)
    for agent in agents[1:]:
        await agent.work("succeeded", "succeeded")
    for agent in agents:
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings, detail.revision) == ("succeeded", 1, 2)
    assert [batch.hosts for batch in detail.rollouts[0].batches] == [1, 2]


async def test_a_revision_with_other_steps_does_not_fit_what_is_done(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    await plumber.tasks.apply(source=source())
    execution = (await plumber.tasks.run(task="shop")).id
    await agent.work("failed")
    await plumber.tasks.apply(source=source().replace("name: start,", "name: begin,"))
    with pytest.raises(Conflict, match="step begin is new, gone or elsewhere"):
        await plumber.executions.resume(execution=execution, revision="new")
    assert (await show(plumber, execution)).state == "failed"
    await plumber.executions.resume(execution=execution)
    await agent.work("succeeded")


async def test_what_cannot_be_resumed_says_why(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, Step(name="one", run="one"))
    with pytest.raises(Conflict, match="this one is running"):
        await plumber.executions.resume(execution=execution)
    await agent.work("failed")
    with pytest.raises(NotFound, match="host h1"):
        await plumber.executions.resume(execution=execution, hosts=["h1"])
    with pytest.raises(NotFound, match="step on"):
        await plumber.executions.resume(execution=execution, from_step="on")
    with pytest.raises(Conflict, match="without being saved"):
        await plumber.executions.resume(execution=execution, revision="new")
    await agent.disconnect()
    await plumber.agents.delete(agent=agent.config.id)
    with pytest.raises(InvalidRequest, match="agent h0 was deleted"):
        await plumber.executions.resume(execution=execution)
    with pytest.raises(NotFound):
        await plumber.executions.resume(execution="nobody")


async def test_the_history_of_a_step_has_all_rounds_and_who_went_on(plumber: Plumber) -> None:
    [agent] = await fleet(plumber, 1)
    execution = await start(plumber, Step(name="one", run="one"))
    await agent.work("failed")
    await plumber.executions.resume(execution=execution, reason="fixed")
    await agent.work("succeeded")
    record = await plumber.executions.step(execution=execution, step=0, host="h0")
    assert [(step.round, step.state, step.replaced) for step in record.rounds] == [
        (1, "succeeded", False),
        (0, "failed", True),
    ]
    assert [(one.kind, one.data["by"], one.data["reason"]) for one in record.operations] == [
        ("execution.resumed", "system", "fixed")
    ]


async def test_another_server_that_remembers_the_old_round_goes_on_with_the_new_one(postgres_url: str) -> None:
    async with Plumber(postgres_url, local_agent=False) as one, Plumber(postgres_url, local_agent=False) as other:
        [agent] = await fleet(one, 1)
        await one.tasks.apply(source=source())
        execution = (await one.tasks.run(task="shop")).id
        await agent.work("failed")
        await other._engine.executions.get(execution)
        await other.tasks.apply(source=source("fixed"))
        await other.executions.resume(execution=execution, revision="new")
        await agent.beat()
        await one._engine.executions.get(execution)
        await agent.work("succeeded")
        assert agent.following is not None and json.dumps(agent.following.spec.params) == '{"run": "fixed"}'
