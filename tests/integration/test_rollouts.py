"""Blocks and rollouts: batch by batch, stopped by failures, paused, on both databases."""

from __future__ import annotations

import asyncio
import json

import pytest
from sqlalchemy import update

from plumber_core.app import Plumber
from plumber_core.engine.adoption import settle
from plumber_core.engine.batches import open_all, open_due
from plumber_core.errors import Conflict, NotFound
from plumber_core.model.task import Step
from plumber_core.storage import tables as t
from support.embedded import due, show, start
from support.rollouts import LATER, block, by_step, fleet, kinds, let_pauses_end, states_of


async def test_a_block_runs_host_by_host_and_the_next_step_when_all_are_through(plumber: Plumber) -> None:
    slow, fast = await fleet(plumber, 2)
    execution = await start(plumber, block("stop", "start"), Step(name="after", run="after"))
    await fast.work("succeeded", "succeeded")
    assert by_step(await show(plumber, execution)) == {
        "stop": ["running", "succeeded"],
        "start": ["blocked", "succeeded"],
        "after": ["blocked", "blocked"],
    }
    await slow.work("succeeded", "succeeded")
    for agent in (slow, fast):
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings) == ("succeeded", 0)


async def test_batches_follow_each_other_and_the_log_tells_of_them(plumber: Plumber) -> None:
    agents = await fleet(plumber, 4)
    execution = await start(plumber, block("one", batches="1 2 100%"))
    detail = await show(plumber, execution)
    assert [step.state for step in detail.steps] == ["running", "blocked", "blocked", "blocked"]
    assert states_of(detail) == ["running", "blocked", "blocked"]
    turn = {"code": "batch_turn", "block": "roll out", "batch": 3, "batches": 3, "current": 1}
    assert [step.waiting for step in detail.steps][-1] == turn
    await agents[0].work("succeeded")
    assert [step.state for step in (await show(plumber, execution)).steps][1:] == ["running", "running", "blocked"]
    for agent in agents[1:]:
        await agent.work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, states_of(detail)) == ("succeeded", ["passed"] * 3)
    told = await kinds(plumber, execution)
    assert [(kind, data["batch"]) for kind, data in told] == [
        (kind, number) for number in (1, 2, 3) for kind in ("batch.started", "batch.finished")
    ]
    assert told[2][1] == {"block": "roll out", "batch": 2, "batches": 3, "hosts": 2}
    matrix = await plumber.executions.matrix(execution=execution)
    assert matrix.rollouts == detail.rollouts


async def test_a_rollout_stops_when_more_hosts_have_failed_than_may(plumber: Plumber) -> None:
    agents = await fleet(plumber, 6)
    execution = await start(
        plumber, block("one", "two", batches="2 100%", max_failures=1), Step(name="after", run="after")
    )
    await agents[0].work("failed")
    await agents[1].work("succeeded", "succeeded")
    await agents[2].work("succeeded")
    await agents[3].work("failed")
    detail = await show(plumber, execution)
    # The two others of the batch are in flight, and go on to their end.
    assert by_step(detail)["one"] == ["failed", "succeeded", "succeeded", "failed", "running", "running"]
    await agents[4].work("succeeded", "succeeded")
    await agents[5].work("succeeded", "failed")
    await agents[2].work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, states_of(detail)) == ("failed", ["passed", "stopped"])
    assert set(by_step(detail)["after"]) == {"skipped"}
    told = dict(await kinds(plumber, execution))
    assert told["batch.stopped"] == {"block": "roll out", "batch": 2, "batches": 2, "failed": 2, "allowed": 1}
    assert told["batch.finished"]["passed"] is False


async def test_hosts_that_have_not_begun_are_skipped_when_their_rollout_stops(plumber: Plumber) -> None:
    agents = await fleet(plumber, 5)
    for away in agents[2:]:
        await away.disconnect()
    execution = await start(plumber, block("one", "two", batches="100%", max_failures="20%"))
    await agents[0].work("failed")
    detail = await show(plumber, execution)
    assert by_step(detail)["one"] == ["failed", "running", "ready", "ready", "ready"]
    await agents[1].work("succeeded", "failed")
    detail = await show(plumber, execution)
    assert by_step(detail) == {
        "one": ["failed", "succeeded", "skipped", "skipped", "skipped"],
        "two": ["skipped", "failed", "skipped", "skipped", "skipped"],
    }
    assert (detail.state, states_of(detail)) == ("failed", ["stopped"])
    for away in agents[2:]:
        await away.connect()
        assert away.idle
    events = await plumber._engine.store.events_after("0.0", execution, 500)
    skipped = [row for row in events if row.kind == "step.skipped"]
    assert [(row.agent_id, row.data["skipped"]) for row in skipped] == [(one.config.id, [1]) for one in agents[2:]]
    assert [row.kind for row in events][-1] == "execution.failed"


async def test_failures_within_the_limits_are_warnings(plumber: Plumber) -> None:
    agents = await fleet(plumber, 4)
    execution = await start(plumber, block("one", batches="50%", max_failures={"total": 2, "batch": "50%"}))
    for agent, end in zip(agents, ["failed", "succeeded", "succeeded", "failed"], strict=True):
        await agent.work(end)
    detail = await show(plumber, execution)
    assert (detail.state, detail.warnings, states_of(detail)) == ("succeeded", 2, ["passed", "passed"])
    assert [batch.failed for batch in detail.rollouts[0].batches] == [1, 1]


async def test_a_limit_for_each_batch_stops_although_the_whole_would_allow_it(plumber: Plumber) -> None:
    agents = await fleet(plumber, 4)
    execution = await start(plumber, block("one", batches="2", max_failures={"total": 4, "batch": 1}))
    for agent in agents[:2]:
        await agent.work("failed")
    detail = await show(plumber, execution)
    assert (detail.state, states_of(detail)) == ("failed", ["stopped", "skipped"])


async def test_the_next_batch_waits_for_its_pause(plumber: Plumber) -> None:
    agents = await fleet(plumber, 2)
    execution = await start(plumber, block("one", batches="1", pause="10m"))
    await agents[0].work("succeeded")
    detail = await show(plumber, execution)
    waiting = detail.rollouts[0].waiting
    assert waiting is not None and detail.steps[1].waiting == waiting
    assert {**waiting, "until": ""} == {
        "code": "batch_pause",
        "block": "roll out",
        "batch": 1,
        "batches": 2,
        "until": "",
    }
    assert waiting["until"] > detail.created_at.isoformat()
    assert states_of(detail) == ["passed", "waiting"]
    await due(plumber)
    await open_due(plumber._engine)
    assert agents[1].idle
    await let_pauses_end(plumber)
    await due(plumber)
    # A server that found the same stage due, and comes to it later: seed 526 had the execution end here.
    await open_all(plumber._engine, [(execution, 1)])
    assert (await show(plumber, execution)).state == "running"
    await agents[1].work("succeeded")
    detail = await show(plumber, execution)
    assert (detail.state, detail.rollouts[0].waiting) == ("succeeded", None)
    told = [kind for kind, _ in await kinds(plumber, execution)]
    assert told == ["batch.started", "batch.finished", "batch.waiting", "batch.started", "batch.finished"]


async def test_a_short_pause_ends_by_its_own_alarm(plumber: Plumber) -> None:
    agents = await fleet(plumber, 2)
    execution = await start(plumber, block("one", batches="1", pause="10ms"))
    await agents[0].work("succeeded")
    await agents[1].work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_manual_pause_waits_until_somebody_says_go_and_no_longer(plumber: Plumber) -> None:
    agents = await fleet(plumber, 3)
    execution = await start(plumber, block("one", batches="1", pause="manual"))
    with pytest.raises(Conflict, match="no batch"):
        await plumber.executions.go(execution=execution)
    await agents[0].work("succeeded")
    detail = await show(plumber, execution)
    assert detail.rollouts[0].waiting == {"code": "batch_go", "block": "roll out", "batch": 1, "batches": 3}
    await let_pauses_end(plumber)
    await due(plumber)
    assert agents[1].idle
    with pytest.raises(Conflict, match="waits after batch 1"):
        await plumber.executions.go(execution=execution, batch=2)
    await plumber.executions.go(execution=execution, batch=1, reason="looks good")
    with pytest.raises(Conflict, match="no batch"):
        await plumber.executions.go(execution=execution, batch=1)
    await agents[1].work("succeeded")
    await plumber.executions.go(execution=execution)
    await agents[2].work("succeeded")
    assert (await show(plumber, execution)).state == "succeeded"
    with pytest.raises(Conflict):
        await plumber.executions.go(execution=execution)
    with pytest.raises(NotFound):
        await plumber.executions.go(execution="nothing")
    [said, _] = [data for kind, data in await kinds(plumber, execution) if kind == "batch.go"]
    assert said == {"block": "roll out", "batch": 1, "batches": 3, "by": "system", "reason": "looks good"}


async def test_two_who_say_go_at_once_open_one_batch(plumber: Plumber) -> None:
    agents = await fleet(plumber, 3)
    execution = await start(plumber, block("one", batches="1", pause="manual"))
    await agents[0].work("succeeded")
    said = await asyncio.gather(*(plumber.executions.go(execution=execution) for _ in range(4)), return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in said) == 3
    assert [step.state for step in (await show(plumber, execution)).steps] == ["succeeded", "running", "blocked"]
    assert [kind for kind, _ in await kinds(plumber, execution)].count("batch.go") == 1


async def test_a_look_at_the_whole_keeps_a_wait_and_makes_a_forgotten_one_anew(plumber: Plumber) -> None:
    agents = await fleet(plumber, 3)
    execution = await start(plumber, block("one", batches="1", pause="10m", max_failures=1))
    await agents[0].work("failed")
    waiting = (await show(plumber, execution)).rollouts[0].waiting
    assert waiting is not None
    await settle(plumber._engine, execution)
    assert (await show(plumber, execution)).rollouts[0].waiting == waiting
    forgotten = update(t.progress).values(waits=None, opens_at=None, carried=0)
    await plumber._store.database.write(lambda connection: connection.execute(forgotten) and None)
    await settle(plumber._engine, execution)
    again = (await show(plumber, execution)).rollouts[0].waiting
    assert again is not None and again["until"] > waiting["until"]
    await plumber.executions.go(execution=execution)
    await settle(plumber._engine, execution)
    await agents[1].work("failed")
    detail = await show(plumber, execution)
    assert (detail.state, states_of(detail)) == ("failed", ["passed", "stopped", "skipped"])


async def test_a_cancel_while_a_batch_waits_ends_it_at_once(plumber: Plumber) -> None:
    agents = await fleet(plumber, 2)
    execution = await start(plumber, block("one", batches="1", pause="10m"))
    await agents[0].work("succeeded")
    await plumber.executions.cancel(execution=execution)
    detail = await show(plumber, execution)
    assert (detail.state, detail.rollouts[0].waiting) == ("cancelled", None)
    await let_pauses_end(plumber)
    await due(plumber)
    assert agents[1].idle


async def test_a_host_that_does_not_come_in_time_has_failed_and_may_stop_the_rollout(plumber: Plumber) -> None:
    agents = await fleet(plumber, 3)
    for away in agents[1:]:
        await away.disconnect()
    step = {"name": "one", "run": "one", "rollout": {"batches": "100%"}}
    task = {"name": "t", "on": "all", "queue_timeout": "1h", "steps": [step]}
    begun = await plumber.executions.start(source=json.dumps(task), format="json")
    ready = update(t.step_executions).where(t.step_executions.c.state == "ready")
    passed = ready.values(ready_at=t.step_executions.c.ready_at - LATER)
    await plumber._store.database.write(lambda connection: connection.execute(passed) and None)
    await due(plumber)
    detail = await show(plumber, begun.id)
    assert (detail.state, by_step(detail)["one"]) == ("running", ["running", "expired", "skipped"])
    await agents[0].work("succeeded")
    assert (await show(plumber, begun.id)).state == "failed"
