"""Steps that are tried again: by whom, when, how often, and never two at once."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import Connection, update

from plumber_core.app import Plumber
from plumber_core.engine.reap import notice_silence, sweep
from plumber_core.engine.retries import wake_retries
from plumber_core.model import limits
from plumber_core.model.task import Retry, Step
from plumber_core.protocol.messages import Cancel
from plumber_core.storage import tables as t
from support.embedded import due, only_step, show, start, states
from support.scripted_agent import ScriptedAgent
from support.waiting import wait_until

LATER = 10_000_000_000
"""Microseconds by which tests let time pass in the database."""


def flaky(attempts: int = 3, delay: float = 0.0, **values: Any) -> Step:
    retry = {"attempts": attempts, "delay": delay, **values.pop("retry", {})}
    return Step(name="one", run="1", retry=Retry(**retry), **values)


async def let_time_pass(plumber: Plumber) -> None:
    """Make everything that waits for a time due, as if the database's clock had gone on."""
    step, execution = t.step_executions.c, t.executions.c
    waiting = step.state.in_(("ready", "retry_wait"))
    steps = update(t.step_executions).where(waiting).values(ready_at=step.ready_at - LATER)
    executions = update(t.executions).values(deadline_at=execution.deadline_at - LATER)

    def work(connection: Connection) -> None:
        connection.execute(steps)
        connection.execute(executions)

    await plumber._store.database.write(work)


async def retry_wait_seconds(plumber: Plumber, execution: str) -> float:
    """Return for how long the only step still waits for its next attempt."""
    step = await plumber._engine.store.step(f"{execution}-0-0-0")
    assert step is not None and step.ready_at is not None
    return (step.ready_at - await plumber._engine.store.now()) / 1_000_000


async def test_a_failed_step_is_tried_again_until_it_succeeds(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky(), Step(name="two", run="2"))
    first = await agent.take()
    assert (await agent.report(first.attempt, state="failed", exit_code=1)).next is None
    second = await agent.take()
    assert second.attempt != first.attempt
    following = (await agent.report(second.attempt)).next
    assert following is not None
    await agent.report(following.attempt)
    detail = await show(plumber, execution)
    assert (detail.state, await states(plumber, execution)) == ("succeeded", ["succeeded", "succeeded"])
    tries = detail.steps[0].attempts
    assert [(attempt.number, attempt.state, attempt.exit_code) for attempt in tries] == [
        (1, "failed", 1),
        (2, "succeeded", 0),
    ]
    assert detail.warnings == 0


async def test_when_its_attempts_are_used_up_the_step_has_failed(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky(attempts=2), Step(name="two", run="2"))
    for _ in range(2):
        await agent.report((await agent.take()).attempt, state="failed", exit_code=1)
    assert (await show(plumber, execution)).state == "failed"
    assert await states(plumber, execution) == ["failed", "skipped"]


async def test_an_attempt_that_never_ran_is_not_counted(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky(attempts=2))
    await agent.never_ran((await agent.take()).attempt)
    await agent.report((await agent.take()).attempt, state="failed", exit_code=1)
    await agent.report((await agent.take()).attempt)
    assert await states(plumber, execution) == ["succeeded"]


async def test_a_report_of_an_earlier_attempt_cannot_move_the_step(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky())
    first = await agent.take()
    await agent.report(first.attempt, state="failed", exit_code=1)
    second = await agent.take()
    assert (await agent.report(first.attempt, state="failed", exit_code=1)).status == "duplicate"
    assert (await agent.report(first.attempt)).status == "conflict"
    assert await states(plumber, execution) == ["running"]
    assert (await agent.report(second.attempt)).status == "recorded"


async def test_a_step_that_waits_to_be_tried_again_says_until_when(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky(delay=300.0))
    await agent.report((await agent.take()).attempt, state="failed", exit_code=1)
    step = await only_step(plumber, execution)
    assert step.state == "retry_wait" and step.waiting is not None
    assert (step.waiting["code"], step.waiting["attempt"], step.waiting["attempts"]) == ("retry", 2, 3)
    assert step.waiting["until"] > (await show(plumber, execution)).created_at.isoformat()
    await wake_retries(plumber._engine)
    assert await states(plumber, execution) == ["retry_wait"]
    await let_time_pass(plumber)
    await due(plumber)
    assert (await agent.take()).attempt.startswith(f"{execution}-0-0-0-2-")


async def test_cancel_ends_a_step_that_waits_to_be_tried_again_and_nothing_starts(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky(delay=300.0))
    await agent.report((await agent.take()).attempt, state="failed", exit_code=1)
    await plumber.executions.cancel(execution=execution)
    assert (await show(plumber, execution)).state == "cancelled"
    await let_time_pass(plumber)
    await due(plumber)
    assert await states(plumber, execution) == ["cancelled"] and agent.inbox.empty()


async def test_a_step_that_fails_after_its_cancel_is_not_tried_again(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky())
    attempt = (await agent.take()).attempt
    await plumber.executions.cancel(execution=execution)
    await agent.report(attempt, state="failed", exit_code=1)
    assert await states(plumber, execution) == ["failed"]
    assert (await show(plumber, execution)).state == "cancelled"


async def silence(plumber: Plumber, agent: ScriptedAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an agent vanish for so long that its step is lost."""
    await agent.disconnect()
    with monkeypatch.context() as patched:
        patched.setattr(limits.Patience, "lease_at", lambda self, heartbeat: -1.0)
        patched.setattr(plumber._engine, "patience", limits.Patience(lost_after=-1.0))
        await notice_silence(plumber._engine)
        await notice_silence(plumber._engine)


async def test_without_leave_a_lost_step_is_never_tried_again(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky())
    await agent.take()
    await silence(plumber, agent, monkeypatch)
    assert await states(plumber, execution) == ["lost"]


async def test_a_lost_step_with_stop_after_waits_until_its_agent_must_have_ended_it(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky(stop_after=60.0, retry={"on": ("lost",)}))
    given = await agent.take()
    assert given.spec.stop_after == 60.0
    await silence(plumber, agent, monkeypatch)
    assert await states(plumber, execution) == ["retry_wait"]
    assert 60 < await retry_wait_seconds(plumber, execution) <= 60 * 1.05 + 5
    await agent.connect()
    assert (await agent.report(given.attempt, state="failed", exit_code=None, signal=9)).status == "late"
    assert await states(plumber, execution) == ["retry_wait"]


@pytest.mark.parametrize("again", [True, False], ids=["on a new connection", "on the same one"])
async def test_what_was_given_up_and_is_still_held_has_to_end_before_the_next_attempt(
    again: bool, plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky(stop_after=60.0, retry={"on": ("lost",)}))
    given = await agent.take()
    monkeypatch.setattr(limits.Patience, "lease_at", lambda self, heartbeat: -1.0)
    plumber._engine.patience = limits.Patience(lost_after=-1.0)
    await notice_silence(plumber._engine)
    await notice_silence(plumber._engine)
    sooner = update(t.step_executions).values(ready_at=t.step_executions.c.ready_at - 40_000_000)
    await plumber._store.database.write(lambda connection: connection.execute(sooner) and None)
    assert await retry_wait_seconds(plumber, execution) < 30
    answer = await agent.connect() if again else await agent.beat()
    assert Cancel(given.attempt, kill=True) in answer.deliveries
    assert await states(plumber, execution) == ["retry_wait"]
    assert await retry_wait_seconds(plumber, execution) > 60


async def test_what_was_given_up_while_renewals_were_heard_and_not_recorded_has_to_end_too(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found by the simulator: a replica heard the agent, another one gave it up, and the step ran twice at a time."""
    agent = await ScriptedAgent.create(plumber, "a")
    await start(plumber, flaky(stop_after=60.0, retry={"on": ("lost",)}))
    given, engine = await agent.take(), plumber._engine
    with monkeypatch.context() as impatient:
        impatient.setattr(limits.Patience, "lease_at", lambda self, heartbeat: -1.0)
        engine.patience = limits.Patience(lost_after=-1.0)
        await notice_silence(engine)
        await notice_silence(engine)
    engine.patience = limits.Patience()
    connection = engine.connections.get(agent.config.id)
    assert connection is not None and (await agent.beat()).deliveries == ()
    connection.recorded_at -= 1000
    await sweep(engine)
    assert Cancel(given.attempt, kill=True) in (await agent.beat()).deliveries


async def test_the_word_of_the_same_boot_that_nothing_runs_any_more_shortens_the_wait(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky(stop_after=60.0, retry={"on": ("lost",)}))
    await agent.report((await agent.take()).attempt, state="unknown", error="supervisor_died", exit_code=None)
    await agent.report((await agent.take()).attempt)
    assert await states(plumber, execution) == ["succeeded"]


async def test_the_word_of_another_boot_does_not(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky(stop_after=60.0, retry={"on": ("lost",)}))
    attempt = (await agent.take()).attempt
    await agent.disconnect()
    agent.boot_id = "boot-2"
    await agent.connect()
    await agent.report(attempt, state="unknown", error="rebooted", exit_code=None)
    assert await states(plumber, execution) == ["retry_wait"]
    assert await retry_wait_seconds(plumber, execution) > 60


async def test_an_idempotent_lost_step_is_tried_again_at_once(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, flaky(idempotent=True, retry={"on": ("lost",)}))
    first = await agent.take()
    await silence(plumber, agent, monkeypatch)
    agent.held.clear()
    await agent.connect()
    second = await agent.take()
    assert second.attempt != first.attempt
    await agent.report(second.attempt)
    assert (await agent.report(first.attempt)).status == "late"
    step = await only_step(plumber, execution)
    assert step.state == "succeeded"
    assert step.attempts[0].late is not None and step.attempts[0].late["state"] == "succeeded"


async def test_a_step_that_waits_for_its_agent_for_too_long_has_expired(plumber: Plumber) -> None:
    await plumber.agents.create(name="away")
    agent = await ScriptedAgent.create(plumber, "here")
    task = {"name": "t", "on": "all", "queue_timeout": "10m", "steps": [{"name": "one", "run": "1"}]}
    execution = await plumber.executions.start(source=str(task).replace("'", '"'), format="json")
    await agent.report((await agent.take()).attempt)
    await due(plumber)
    assert sorted(await states(plumber, execution.id)) == ["ready", "succeeded"]
    await let_time_pass(plumber)
    await due(plumber)
    assert sorted(await states(plumber, execution.id)) == ["expired", "succeeded"]
    assert (await show(plumber, execution.id)).state == "failed"


async def test_an_execution_whose_time_is_over_is_cancelled_and_has_failed(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    source = {"name": "t", "on": "all", "timeout": "1h", "steps": [{"name": n, "run": "1"} for n in ("one", "two")]}
    execution = (await plumber.executions.start(source=str(source).replace("'", '"'), format="json")).id
    attempt = (await agent.take()).attempt
    await due(plumber)
    assert await states(plumber, execution) == ["running", "blocked"]
    await let_time_pass(plumber)
    await due(plumber)
    assert await states(plumber, execution) == ["cancelling", "cancelled"]
    await agent.report(attempt, state="cancelled", exit_code=None, signal=15)
    detail = await show(plumber, execution)
    assert detail.state == "failed"
    assert detail.problem == {"code": "execution_timeout", "arguments": {"timeout": 3600.0}}


async def test_an_alarm_wakes_a_retry_without_waiting_for_the_sweep(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    sweeps = plumber._engine.counts["plumber_assigned_by_sweep_total"]
    await start(plumber, flaky(attempts=9))
    for _ in range(3):
        await agent.report((await agent.take()).attempt, state="failed", exit_code=1)
    assert plumber._engine.counts["plumber_steps_retried_total"] == 3
    assert plumber._engine.counts["plumber_assigned_by_sweep_total"] == sweeps
    await wait_until(lambda: not plumber._engine.alarms)
