"""Who may move what: attempts, sessions and boots as fences, on both databases."""

from __future__ import annotations

import asyncio
import hashlib
from typing import Any

import psycopg
import pytest
from sqlalchemy import event

from plumber_core.app import Plumber
from plumber_core.engine.reap import notice_silence
from plumber_core.errors import Conflict, NotFound
from plumber_core.model import limits
from plumber_core.model.task import Step
from plumber_core.protocol.frames import STDERR, STDOUT, encode_frame
from plumber_core.protocol.messages import Ask, Cancel, Outcome, Report
from plumber_core.protocol.peer import Disconnected, Refused, SessionOver
from support.embedded import only_step, show, start, states
from support.scripted_agent import ScriptedAgent
from support.waiting import wait_until

ONE = Step(name="one", run="1")


async def test_the_first_report_wins_and_the_same_again_is_a_duplicate(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    assert (await agent.report(attempt, b"out")).status == "recorded"
    assert (await agent.report(attempt, b"out")).status == "duplicate"
    assert (await agent.report(attempt, state="failed", exit_code=9)).status == "conflict"
    step = await only_step(plumber, execution)
    assert (step.state, step.attempts[0].exit_code) == ("succeeded", 0)
    late = step.attempts[0].late
    assert late is not None and (late["state"], late["exit_code"]) == ("failed", 9)
    kinds = [event.kind for event in await plumber._engine.store.events_after("0.0", execution, 100)]
    assert kinds.count("step.conflict") == 1


async def test_an_agent_cannot_report_what_is_not_its_own(plumber: Plumber) -> None:
    owner = await ScriptedAgent.create(plumber, "owner")
    thief = await ScriptedAgent.create(plumber, "thief")
    execution = await start(plumber, ONE, on="owner")
    attempt = (await owner.take()).attempt
    assert (await thief.report(attempt)).status == "unknown"
    assert (await thief.report("no such attempt")).status == "unknown"
    assert await thief.append(attempt, 0, encode_frame(STDOUT, 1, b"forged")) == -1
    await thief.never_ran(attempt)
    step = await only_step(plumber, execution)
    assert step.state == "running" and step.attempts[0].log_end == 0


async def test_a_second_hello_ends_the_first_session(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    old_peer, old_session = agent.peer, agent.session
    await agent.connect()
    assert old_peer is not None
    with pytest.raises(SessionOver):
        await old_peer.report(Report(old_session, attempt, Outcome("failed"), 1))
    assert (await agent.report(attempt)).status == "recorded"
    assert (await show(plumber, execution)).state == "succeeded"


async def test_a_repeated_hello_gets_the_same_session(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    first = await agent.hello(nonce="n", incarnation=5)
    again = await agent.hello(nonce="n", incarnation=5)
    assert first.session == again.session


async def test_a_wrong_epoch_is_told_before_anything_is_written(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    answer = await agent.hello(epoch=None)
    assert (answer.status, answer.epoch, answer.session) == ("epoch", 1, "")


async def test_a_restored_image_is_stale_and_a_clone_is_a_conflict(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    clone = ScriptedAgent(plumber, agent.config, incarnation=agent.incarnation, token=agent.token)
    await agent.connect()
    await agent.connect()
    assert (await clone.hello(incarnation=1)).status == "stale"
    assert (await clone.hello(incarnation=9)).status == "conflict"
    assert [agent.name for agent in (await plumber.agents.list()).items] == ["a"]


async def test_never_ran_on_the_same_boot_is_ready_again_and_runs_once_more(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    first = await agent.take()
    await agent.never_ran(first.attempt)
    second = await agent.take()
    assert second.attempt != first.attempt
    await agent.report(second.attempt)
    detail = await show(plumber, execution)
    assert detail.state == "succeeded"
    assert [attempt.state for attempt in detail.steps[0].attempts] == ["never_ran", "succeeded"]


async def test_never_ran_on_another_boot_is_lost_for_memory_may_have_gone(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    await agent.never_ran((await agent.take()).attempt, boot_id="boot-2")
    assert await states(plumber, execution) == ["lost"]
    assert (await show(plumber, execution)).state == "failed"


async def test_what_the_inventory_lacks_is_asked_about_and_never_concluded(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    agent.held.clear()
    welcome = await agent.connect()
    [ask] = welcome.deliveries
    assert isinstance(ask, Ask) and ask.assignment.attempt == attempt and ask.assignment.session == ""
    assert await states(plumber, execution) == ["running"]


async def test_an_agent_without_its_memory_has_lost_what_it_ran(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    await agent.take()
    reinstalled = ScriptedAgent(plumber, agent.config, incarnation=0)
    welcome = await reinstalled.connect(nonce="another")
    assert welcome.deliveries == ()
    step = await only_step(plumber, execution)
    assert (step.state, step.attempts[0].error) == ("lost", "state_lost")


async def test_a_first_greeting_that_comes_late_loses_nothing(plumber: Plumber) -> None:
    """It shows no token, as that of an agent without its memory, but it is of the state folder that works."""
    agent = await ScriptedAgent.create(plumber, "a")
    await agent.connect(install="folder")
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    late = ScriptedAgent(plumber, agent.config)
    assert (await late.hello(install="folder", token=None)).status == "stale"
    assert (await agent.report(attempt)).status == "recorded"
    assert await states(plumber, execution) == ["succeeded"]


async def test_silence_is_unreachable_then_lost_and_the_late_truth_stands_beside_it(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    await agent.disconnect()
    monkeypatch.setattr(limits.Patience, "lease_at", lambda self, heartbeat: -1.0)
    await notice_silence(plumber._engine)
    assert await states(plumber, execution) == ["unreachable"]
    await agent.connect()
    assert await states(plumber, execution) == ["running"]
    await agent.disconnect()
    await notice_silence(plumber._engine)
    plumber._engine.patience = limits.Patience(lost_after=-1.0)
    await notice_silence(plumber._engine)
    assert await states(plumber, execution) == ["lost"]
    await agent.connect()
    assert (await agent.report(attempt, b"late\n", state="succeeded")).status == "late"
    assert (await agent.report(attempt, b"late\n", state="succeeded")).status == "duplicate"
    assert (await agent.report(attempt, state="failed", exit_code=1)).status == "conflict"
    step = await only_step(plumber, execution)
    assert step.state == "lost" and step.attempts[0].error == "agent_silent"
    assert step.attempts[0].late is not None and step.attempts[0].late["exit_code"] == 0


async def test_cancel_ends_what_waits_asks_what_runs_and_the_truth_wins(plumber: Plumber) -> None:
    agents = [await ScriptedAgent.create(plumber, name) for name in ("a", "b")]
    execution = await start(plumber, ONE, Step(name="two", run="2"))
    attempts = [(await agent.take()).attempt for agent in agents]
    await plumber.executions.cancel(execution=execution, reason="wrong version")
    assert await states(plumber, execution) == ["cancelling", "cancelling", "cancelled", "cancelled"]
    assert await agents[0].next() == Cancel(attempts[0])
    assert (await agents[0].report(attempts[0], state="cancelled", exit_code=None, signal=15)).next is None
    assert (await show(plumber, execution)).state == "running"
    await agents[1].report(attempts[1])
    detail = await show(plumber, execution)
    assert detail.state == "cancelled"
    assert await states(plumber, execution) == ["cancelled", "succeeded", "cancelled", "cancelled"]
    with pytest.raises(Conflict):
        await plumber.executions.cancel(execution=execution)


async def test_a_second_cancel_kills(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    await plumber.executions.cancel(execution=execution)
    await plumber.executions.cancel(execution=execution)
    assert [await agent.next(), await agent.next()] == [Cancel(attempt), Cancel(attempt, kill=True)]


async def test_cancel_of_what_waits_for_its_agent_ends_at_once(plumber: Plumber) -> None:
    await plumber.agents.create(name="away")
    execution = await start(plumber, ONE)
    await plumber.executions.cancel(execution=execution)
    assert (await show(plumber, execution)).state == "cancelled"
    with pytest.raises(NotFound):
        await plumber.executions.cancel(execution="nothing")


async def test_cancel_and_report_in_the_same_moment_end_the_execution_every_time(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    for _ in range(20):
        await agent.beat()
        execution = await start(plumber, ONE, Step(name="two", run="2"))
        attempt = (await agent.take()).attempt
        cancelled, reported = await asyncio.gather(
            plumber.executions.cancel(execution=execution), agent.report(attempt), return_exceptions=True
        )
        assert not isinstance(reported, BaseException), reported
        if reported.next is not None:
            await agent.report(reported.next.attempt, state="cancelled", exit_code=None, signal=15)
        assert (await show(plumber, execution)).state == "cancelled", cancelled
        while not agent.inbox.empty():
            agent.inbox.get_nowait()
        agent.held.clear()


async def test_who_sees_the_counters_of_a_cancel_sees_the_cancel(postgres_url: str) -> None:
    """It is committed between the two reads: a decision from such a mixture would pass its guard and end nothing."""
    async with Plumber(postgres_url, local_agent=False) as plumber:
        await ScriptedAgent.create(plumber, "a")
        execution = await start(plumber, ONE, Step(name="two", run="2"))
        database = plumber._store.database
        cancelled: list[str] = []

        def cancel_meanwhile(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            if not cancelled and ("FROM progress" in statement or "FROM executions" in statement):
                cancelled.append(statement)
                with psycopg.connect(postgres_url) as other:
                    other.execute("UPDATE progress SET control = control + 1")
                    other.execute("UPDATE executions SET cancel_requested = true")

        for pool in (database._single, database._engine):  # type: ignore[attr-defined]
            event.listen(pool.sync_engine, "after_cursor_execute", cancel_meanwhile)
        loaded = await plumber._store.load(execution)
        assert loaded is not None and cancelled
        assert loaded[0].cancel_requested or loaded[2][0].control == 0


async def test_a_log_is_appended_by_offset_without_gap_or_repeat(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    one, two = encode_frame(STDOUT, 1, b"first\n"), encode_frame(STDERR, 2, b"second\n")
    assert await agent.append(attempt, 0, one) == len(one)
    assert await agent.append(attempt, 0, one) == len(one)
    assert await agent.append(attempt, 99, two) == len(one)
    assert await agent.append(attempt, 0, one + two) == len(one + two)
    assert (await plumber.read_log(attempt)).data == one + two
    assert (await plumber.read_log(attempt, len(one))).data == two
    assert (await plumber.read_log(attempt)).complete is False
    await agent.report(attempt, log_end=len(one + two))
    assert (await plumber.read_log(attempt)).complete
    assert (await only_step(plumber, execution)).attempts[0].log_complete


async def test_a_tail_that_overlaps_an_append_is_stored_once(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    frame = encode_frame(STDOUT, 1, b"once\n")
    await agent.append(attempt, 0, frame)
    reported = await agent.report(attempt, b"once\n")
    assert (reported.status, (await plumber.read_log(attempt)).data) == ("recorded", frame)


async def test_a_log_that_differs_from_its_digest_is_noticed(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    frame = encode_frame(STDOUT, 1, b"output\n")
    await agent.report(attempt, log_end=len(frame), sha256_stdout="0" * 64)
    await agent.append(attempt, 0, frame)
    store = plumber._engine.store

    async def state() -> str:
        found = await store.read_log(attempt, 0, 1)
        assert found is not None
        return found[0].log_state

    async def is_mismatch() -> bool:
        return await state() == "mismatch"

    await wait_until(is_mismatch)
    assert not (await only_step(plumber, execution)).attempts[0].log_complete


async def test_frames_that_are_none_are_refused(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    for data in (b"\xff" * 20, encode_frame(STDOUT, 1, b"whole")[:-1]):
        with pytest.raises(Disconnected):
            await agent.append(attempt, 0, data)
    assert (await plumber.read_log(attempt)).end == 0


async def test_a_revoked_agent_is_refused_at_once_and_stays_so(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await plumber.agents.revoke(agent="a")
    with pytest.raises(SessionOver):
        await agent.beat()
    with pytest.raises(Refused):
        await agent.hello()


async def test_a_rotated_credential_ends_the_old_one_at_its_first_use(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    new = await plumber.agents.rotate(agent="a")
    await agent.hello()
    renewed = ScriptedAgent(plumber, new, incarnation=agent.incarnation, token=agent.token)
    await renewed.hello()
    with pytest.raises(Refused):
        await agent.hello()


async def _log_state(plumber: Plumber, attempt: str) -> str:
    found = await plumber._engine.store.step_of(attempt)
    assert found is not None
    return found[1].log_state


@pytest.mark.parametrize("tail", [False, True])
@pytest.mark.parametrize("began_elsewhere", [False, True])
async def test_a_log_is_checked_as_it_comes_and_read_again_only_where_it_began_elsewhere(
    plumber: Plumber, tail: bool, began_elsewhere: bool
) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    one, two = encode_frame(STDOUT, 1, b"first\n"), encode_frame(STDOUT, 2, b"second\n")
    await agent.append(attempt, 0, one)
    if began_elsewhere:
        plumber._logs._digests.forget([attempt])
    if not tail:
        await agent.append(attempt, len(one), two)
    reads = 0
    store, read = plumber._engine.store, plumber._engine.store.read_log

    async def count(*arguments: Any) -> Any:
        nonlocal reads
        reads += 1
        return await read(*arguments)

    store.read_log = count  # type: ignore[method-assign]
    digest = hashlib.sha256(b"first\nsecond\n").hexdigest()
    whole = len(one + two)
    outcome = Outcome("succeeded", exit_code=0, log_end=whole, sha256_stdout=digest)
    offset, rest = (len(one), two) if tail else (0, b"")
    assert agent.peer is not None
    await agent.peer.report(Report(agent.session, attempt, outcome, 1, offset, rest))

    async def is_verified() -> bool:
        return await _log_state(plumber, attempt) == "verified"

    await wait_until(is_verified)
    assert (reads > 0) == began_elsewhere


async def test_a_new_credential_decides_between_two_copies(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    execution = await start(plumber, ONE)
    attempt = (await agent.take()).attempt
    clone = ScriptedAgent(plumber, agent.config, incarnation=agent.incarnation, token=agent.token)
    await clone.connect()
    assert (await agent.hello(nonce="of the original")).status == "conflict"
    real = ScriptedAgent(plumber, await plumber.agents.rotate(agent="a"), incarnation=9, token=agent.token)
    real.held[attempt] = "running"
    await real.connect()
    assert (await real.report(attempt)).status == "recorded"
    assert (await show(plumber, execution)).state == "succeeded"
