"""Silence: what is counted from, what it leads to, and what it never means."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import Connection, text

from plumber_core.app import Plumber
from plumber_core.engine.clock import ClockWatch
from plumber_core.engine.reap import do_what_is_due, notice_silence, sweep
from plumber_core.model import limits
from plumber_core.model.records import StepEnd, Term
from plumber_core.model.states import Actor, StepEvent, StepState
from plumber_core.model.task import Step
from plumber_core.terminal.outcome import waiting_text
from support.embedded import only_step, start, states
from support.scripted_agent import ScriptedAgent
from support.step_rows import AGENT, Placed, opened, place, states_of


async def test_a_renewal_is_recorded_once_the_database_has_it_and_not_before(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    assert (await agent.beat()).recorded == 0
    await sweep(plumber._engine)
    assert (await agent.beat()).recorded == 2


async def test_only_who_leads_does_what_time_brings_about_and_an_old_term_is_refused(database_url: str) -> None:
    async with opened(database_url) as store:
        first = (await store.presence("one", {}, 5.0, {})).term
        assert first is not None and (first.holder, first.term) == ("one", 1)
        assert (await store.presence("two", {}, 5.0, {})).term is None
        assert (await store.presence("one", {}, 5.0, {})).term == first
        await store.resign(first)
        second = (await store.presence("two", {}, 5.0, {})).term
        assert second is not None and second.term == 2
        running = Placed.make(StepState.RUNNING)
        await store.database.write(lambda connection: place(connection, [running]))
        assert await store.mark_unreachable(first, 0.0) == []
        assert await store.due(first) is None
        assert await store.cancel(running.execution, False, {"code": "execution_timeout"}, first) is None
        assert await store.delete_executions(first, [running.execution]) is None
        assert not await store.end_step(_lost(running, first))
        assert await store.read(states_of) == {running.step_id: StepState.RUNNING}
        assert await store.end_step(_lost(running, second))
        assert await store.read(states_of) == {running.step_id: StepState.LOST}


def _lost(step: Placed, term: Term) -> StepEnd:
    return StepEnd(
        step_id=step.step_id,
        execution_id=step.execution,
        stage=0,
        attempt_id=step.attempt,
        agent_id=AGENT,
        session=None,
        state=StepState.LOST,
        event=StepEvent.LOSE,
        actor=Actor.REAPER,
        outcome={"state": "unknown", "reported": False},
        control=0,
        remaining=(0, 9),
        lane_ends=False,
        failed=False,
        term=term,
    )


async def test_a_lease_that_is_over_goes_to_the_next_who_asks(database_url: str) -> None:
    async with opened(database_url) as store:
        assert (await store.presence("one", {}, 0.0, {})).term is not None
        taken = (await store.presence("two", {}, 5.0, {})).term
        assert taken is not None and (taken.holder, taken.term) == ("two", 2)


def test_a_clock_that_goes_with_the_time_has_not_jumped() -> None:
    watch = ClockWatch()
    assert watch.jump(100.0, 5000.0, 100.1) == 0.0
    assert watch.jump(110.0, 5010.0, 110.0) == 0.0
    assert watch.jump(120.0, 5024.9, 120.0) == 0.0
    # The database answered after eight seconds: nobody knows when in between it looked at its clock.
    assert watch.jump(130.0, 5034.0, 138.0) == 0.0
    assert watch.jump(140.0, 5045.0, 140.0) == 0.0


@pytest.mark.parametrize("jump", [3600.0, -3600.0])
def test_a_jump_is_told_once_and_by_how_much(jump: float) -> None:
    watch = ClockWatch()
    assert watch.jump(100.0, 5000.0, 100.0) == 0.0
    assert watch.jump(105.0, 5005.0 + jump, 105.0) == pytest.approx(jump)
    assert watch.jump(110.0, 5010.0 + jump, 110.0) == 0.0


@pytest.mark.row(65)
async def test_when_the_databases_clock_jumps_nothing_expires_and_what_waits_moves_along(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await plumber.agents.create(name="away")
    source = {
        "name": "t",
        "on": "all",
        "timeout": "1h",
        "queue_timeout": "30m",
        "steps": [{"name": "one", "run": "1"}],
    }
    begun = await plumber.executions.start(source=json.dumps(source), format="json")
    await agent.take()
    await agent.disconnect()
    engine = plumber._engine
    await sweep(engine)
    # An hour has passed for the database, and none for this server's steady clock: what a jump looks like from here.
    await _turn_back(plumber, 3600.0)
    now = engine.steady()
    engine.clock = ClockWatch()
    engine.clock.jump(now, await plumber._store.now() / 1_000_000 - 3600.0, now)
    # It was not noticed yet: perhaps it jumped since the sweep has compared.
    assert engine.term is not None
    await do_what_is_due(engine, engine.term)
    await notice_silence(engine)
    assert sorted(await states(plumber, begun.id)) == ["ready", "running"]
    await sweep(engine, 3)
    assert engine.counts["plumber_clock_jumps_total"] == 1
    assert sorted(await states(plumber, begun.id)) == ["ready", "running"]
    await sweep(engine, 3)
    assert sorted(await states(plumber, begun.id)) == ["ready", "running"]
    kinds = [event.kind for event in await plumber._store.events_after("0.0", None, 100)]
    assert kinds.count("system.clock_jumped") == 1
    assert engine.counts["plumber_clock_jumps_total"] == 1


async def _turn_back(plumber: Plumber, seconds: float) -> None:
    """Make everything stored look as long ago as it would after a jump of the clock."""
    by = int(seconds * 1_000_000)

    def work(connection: Connection) -> None:
        for statement in (
            f"UPDATE agents SET last_seen_at = last_seen_at - {by}",
            f"UPDATE step_executions SET ready_at = ready_at - {by}, started_at = started_at - {by}",
            f"UPDATE executions SET created_at = created_at - {by}, deadline_at = deadline_at - {by}",
            f"UPDATE meta SET accepting_since = accepting_since - {by}",
        ):
            connection.execute(text(statement))

    await plumber._store.database.write(work)


async def test_leave_that_is_asked_for_late_comes_with_a_lease(plumber: Plumber) -> None:
    """Found by the simulator: the step was given up a moment after its agent had been told that it may start."""
    agent = await ScriptedAgent.create(plumber, "a")
    await sweep(plumber._engine)
    execution = await start(plumber, Step(name="one", run="1"))
    attempt = (await agent.take()).attempt
    await _turn_back(plumber, 3600.0)
    assert await agent.start(attempt) == "go"
    await notice_silence(plumber._engine)
    assert await states(plumber, execution) == ["running"]
    await _turn_back(plumber, 3600.0)
    await notice_silence(plumber._engine)
    assert await states(plumber, execution) == ["lost"]
    assert await agent.start(attempt) == "gone"


async def test_an_attempt_whose_timeout_is_long_over_is_lost_although_its_agent_is_there(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, Step(name="one", run="1", timeout=60.0, lost_after=120.0))
    await agent.take()
    plumber._engine.patience = limits.Patience(lost_after=100.0)
    await _turn_back(plumber, 60 + 10 + 120 - 30)
    await plumber._store.presence(plumber._engine.server_id, {agent.config.id: 0.0}, 5.0, {})
    await notice_silence(plumber._engine)
    assert await states(plumber, execution) == ["running"]
    await _turn_back(plumber, 60)
    await plumber._store.presence(plumber._engine.server_id, {agent.config.id: 0.0}, 5.0, {})
    await notice_silence(plumber._engine)
    step = await only_step(plumber, execution)
    assert (step.state, step.attempts[0].error) == ("lost", "no_report")


async def test_each_step_says_how_long_its_agent_may_be_silent(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    agents = [await ScriptedAgent.create(plumber, name) for name in ("a", "b", "c")]
    patient = Step(name="one", run="1", lost_after="never")
    for lost_after in (None, 7200.0, "never"):
        await start(plumber, patient.model_copy(update={"lost_after": lost_after}))
    for agent in agents:
        agent.held.update({(await agent.take()).attempt: "running" for _ in range(3)})
        await agent.disconnect()
    await _turn_back(plumber, 3600.0)
    await notice_silence(plumber._engine)
    await notice_silence(plumber._engine)
    found = [set(await states(plumber, one.id)) for one in (await plumber.executions.list()).items]
    assert found == [{"unreachable"}, {"unreachable"}, {"lost"}]


async def test_while_its_agent_is_silent_a_step_says_since_when_and_that_it_goes_on_as_far_as_known(
    plumber: Plumber,
) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, Step(name="one", run="1"))
    await agent.take()
    await agent.disconnect()
    await sweep(plumber._engine)
    await _turn_back(plumber, 600.0)
    await notice_silence(plumber._engine)
    step = await only_step(plumber, execution)
    seen = (await plumber.agents.show(agent="a")).last_seen_at
    assert seen is not None
    assert step.waiting == {"code": "agent_silent", "since": seen.isoformat()}
    assert "still running as far as known" in waiting_text(step.waiting)
    await plumber.executions.cancel(execution=execution)
    step = await only_step(plumber, execution)
    assert (step.state, step.waiting and step.waiting["code"]) == ("unreachable", "cancel_unheard")
    assert waiting_text(step.waiting).startswith("cancel requested; no word from its agent since 20")
