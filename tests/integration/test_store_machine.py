"""Any order of everything that may happen to steps, on the real store of both databases, beside a small model."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import Connection, select

from plumber_core.model import records as r
from plumber_core.model.states import (
    ENDING_EVENTS,
    LIVE_STEP_STATES,
    TERMINAL_STEP_STATES,
    Actor,
    StepEvent,
    StepState,
    move_step,
)
from plumber_core.protocol.frames import STDOUT, encode_frame
from plumber_core.storage import tables as t
from plumber_core.storage.store.sql_store import SqlStore
from support.step_rows import AGENT, SESSION, Placed, opened, place

STEPS, EPOCH = 3, 1
NONCES = itertools.count()
"""One for each claim: the store tells what a claim took by its nonce, which the engine draws from 32 bits."""
OUTCOMES = st.sampled_from([StepState.SUCCEEDED, StepState.FAILED, StepState.TIMED_OUT])


@dataclass
class Try:
    """One attempt as the model knows it. ``told`` is what its agent said first, ``late`` what it said too late."""

    id: str
    told: str | None = None
    late: str | None = None
    ended: bool = False
    log: bytes = b""


@dataclass
class Known:
    """One step as the model knows it."""

    execution: str
    id: str
    state: StepState = StepState.READY
    cancelled: bool = False
    control: int = 0
    """How often it was changed beside reports: whoever decides has read it before."""
    tries: list[Try] = field(default_factory=list)
    final: Any = None

    @property
    def current(self) -> Try | None:
        """The attempt that is current, if any was handed out since the step was last ready."""
        return self.tries[-1] if self.tries and self.state is not StepState.READY else None


class StoreMachine(RuleBasedStateMachine):
    """Each rule does one thing to the store and the same to the model."""

    runner: asyncio.Runner
    store: SqlStore

    def __init__(self) -> None:
        super().__init__()
        self.steps: list[Known] = []
        self.session = SESSION
        self.sessions = 0
        self.last: Callable[[], Awaitable[Any]] | None = None

    def call(self, act: Callable[[], Awaitable[Any]]) -> Any:
        """Do something and remember it, for whoever does it again."""
        self.last = act
        return self.runner.run(_awaited(act))

    @initialize()
    def begin(self) -> None:
        placed = [Placed.make(StepState.READY) for _ in range(STEPS)]
        self.call(lambda: self.store.database.write(lambda connection: _place_ready(connection, placed)))
        self.last = None
        self.steps = [Known(one.execution, one.step_id) for one in placed]
        self._hello()

    def _move(self, step: Known, event: StepEvent, actor: Actor, attempt: Try | None) -> bool:
        current = attempt is not None and attempt is step.current and not attempt.ended
        target = move_step(step.state, event, actor, current=current, cancelled=step.cancelled)
        if target is None:
            return False
        step.state = target
        return True

    def _hello(self) -> None:
        self.sessions += 1
        self.session = f"{SESSION}-{id(self)}-{self.sessions}"
        session = self.session
        self.call(
            lambda: self.store.open_session(AGENT, lambda row, epoch: {"session": session, "session_epoch": epoch})
        )

    @rule()
    def hello(self) -> None:
        """A new session: whoever speaks in an older one is not heard."""
        old = self.session
        self._hello()
        claimed = self.call(lambda: self.store.claim(AGENT, old, limit=9, beat=1, boot_id="b", nonce="dead0000"))
        assert claimed == []

    @rule(limit=st.integers(1, STEPS))
    def claim(self, limit: int) -> None:
        session, text = self.session, f"{next(NONCES):08x}"
        rows = self.call(lambda: self.store.claim(AGENT, session, limit=limit, beat=1, boot_id="b", nonce=text))
        ready = [step for step in self.steps if step.state is StepState.READY]
        assert len(rows) == min(limit, len(ready))
        for row in rows:
            [step] = [one for one in ready if one.id == row.id]
            assert row.attempt_id not in [one.id for one in step.tries]
            step.state = StepState.RUNNING
            step.tries.append(Try(row.attempt_id))
        self.last = None

    def _try(self, data: st.DataObject) -> tuple[Known, Try]:
        step = data.draw(st.sampled_from([one for one in self.steps if one.tries]))
        return step, data.draw(st.sampled_from(step.tries))

    @precondition(lambda self: any(step.tries for step in self.steps))
    @rule(data=st.data(), state=st.one_of(OUTCOMES, st.sampled_from([StepState.CANCELLED, StepState.LOST])))
    def report(self, data: st.DataObject, state: StepState) -> None:
        """By the agent, of any of its attempts: recorded, or kept beside."""
        step, attempt = self._try(data)
        end = _end(step, attempt, state, ENDING_EVENTS[state], Actor.AGENT, self.session)
        recorded = self.call(lambda: self.store.end_step(end))
        assert recorded is self._move(step, ENDING_EVENTS[state], Actor.AGENT, attempt)
        if recorded:
            attempt.ended, attempt.told = True, state.value
        elif attempt.ended:
            self._late(attempt, state)

    def _late(self, attempt: Try, state: StepState) -> None:
        outcome = {"state": state.value}
        answer = self.call(lambda: self.store.store_late(attempt.id, AGENT, outcome))
        if state.value in (attempt.told, attempt.late):
            assert answer == "duplicate"
        elif attempt.told is None and attempt.late is None:
            assert answer == "late"
            attempt.late = state.value
        else:
            assert answer == "conflict"
            attempt.late = attempt.late or state.value

    @precondition(lambda self: any(step.tries for step in self.steps))
    @rule(data=st.data(), state=st.sampled_from([StepState.FAILED, StepState.LOST]))
    def retry(self, data: st.DataObject, state: StepState) -> None:
        step, attempt = self._try(data)
        end = _end(step, attempt, state, StepEvent.RETRY, Actor.AGENT, self.session, r.NextTry(0.0))
        recorded = self.call(lambda: self.store.end_step(end))
        assert recorded is self._move(step, StepEvent.RETRY, Actor.AGENT, attempt)
        if recorded:
            attempt.ended, attempt.told = True, state.value

    @rule()
    def wake(self) -> None:
        woken = self.call(self.store.wake_retries)
        waiting = [step for step in self.steps if step.state is StepState.RETRY_WAIT]
        assert {row.id for row in woken} >= {step.id for step in waiting}
        for step in waiting:
            assert self._move(step, StepEvent.WAKE, Actor.REAPER, None)

    @precondition(lambda self: any(step.tries for step in self.steps))
    @rule(data=st.data())
    def never_ran(self, data: st.DataObject) -> None:
        step, attempt = self._try(data)
        session = self.session
        done = self.call(lambda: self.store.requeue(attempt.id, AGENT, session))
        assert done is (not step.cancelled and self._move(step, StepEvent.NEVER_RAN, Actor.AGENT, attempt))
        attempt.ended = attempt.ended or done

    @precondition(lambda self: any(step.tries for step in self.steps))
    @rule(data=st.data())
    def renew(self, data: st.DataObject) -> None:
        """The agent has an attempt in its inventory."""
        step, attempt = self._try(data)
        self.call(lambda: self.store.mark_reachable(AGENT, [attempt.id]))
        self._move(step, StepEvent.HEAR, Actor.AGENT, attempt)

    @rule()
    def silence(self) -> None:
        async def reap() -> None:
            seen = await self.store.presence("server", {}, 60.0, {})
            assert seen.term is not None
            await self.store.mark_unreachable(seen.term, 0.0)

        self.call(reap)
        for step in self.steps:
            self._move(step, StepEvent.SILENCE, Actor.REAPER, None)

    @precondition(lambda self: any(step.state is StepState.UNREACHABLE for step in self.steps))
    @rule(data=st.data())
    def give_up(self, data: st.DataObject) -> None:
        """Silent for too long: lost, and nobody has told how it ended."""
        step = data.draw(st.sampled_from([one for one in self.steps if one.state is StepState.UNREACHABLE]))
        attempt = step.current
        assert attempt is not None
        end = _end(step, attempt, StepState.LOST, StepEvent.LOSE, Actor.REAPER, None, reported=False)
        assert self.call(lambda: self.store.end_step(end))
        assert self._move(step, StepEvent.LOSE, Actor.REAPER, attempt)
        attempt.ended = True

    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        step = data.draw(st.sampled_from(self.steps))
        live = self.call(lambda: self.store.cancel(step.execution, False))
        if live is None:
            return
        step.cancelled = step.cancelled or step.state not in TERMINAL_STEP_STATES
        self._move(step, StepEvent.CANCEL, Actor.USER, None)
        assert [row.id for row in live] == ([step.id] if step.state in LIVE_STEP_STATES else [])

    @precondition(lambda self: any(step.tries for step in self.steps))
    @rule(data=st.data(), text=st.binary(min_size=1, max_size=20), offset=st.integers(-30, 30))
    def log(self, data: st.DataObject, text: bytes, offset: int) -> None:
        """At the end, before it, or behind a gap: what is stored has neither gap nor repeat."""
        _, attempt = self._try(data)
        frame = encode_frame(STDOUT, 1, text)
        at = len(attempt.log) if offset < 0 else len(attempt.log) + offset
        ends, _complete = self.call(lambda: self.store.append([(attempt.id, AGENT, EPOCH, at, frame)]))
        attempt.log += frame if at == len(attempt.log) else b""
        assert ends[attempt.id] == len(attempt.log)

    @precondition(lambda self: self.last is not None)
    @rule()
    def the_answer_was_lost_and_it_is_asked_again(self) -> None:
        """A crash after the commit: the same call once more."""
        again = self.last
        assert again is not None
        self.runner.run(_awaited(again))
        for step in self.steps:
            if again == self.store.wake_retries:
                self._move(step, StepEvent.WAKE, Actor.REAPER, None)
        self.last = None

    @invariant()
    def the_database_agrees_with_the_model(self) -> None:
        found = self.runner.run(
            _awaited(lambda: self.store.read(lambda c: _read(c, [s.execution for s in self.steps])))
        )
        controls = self.runner.run(_awaited(lambda: self.store.read(_controls)))
        for step in self.steps:
            step.control = controls[step.execution]
            row = found[step.id]
            assert StepState(row.state) is step.state, step
            live = [one.id for one in step.tries if not one.ended]
            assert live == ([row.attempt_id] if step.state in LIVE_STEP_STATES else []), step
            if step.state in TERMINAL_STEP_STATES:
                step.final = step.final or tuple(row)
                assert tuple(row) == step.final, "an ended step has changed"
        assert self.store.counts["plumber_illegal_transition_total"] == 0

    def teardown(self) -> None:
        for attempt in (one for step in self.steps for one in step.tries if one.log):
            found = self.runner.run(_awaited(lambda: self.store.read_log(attempt.id, 0, 1 << 20)))  # noqa: B023
            assert found[1] == attempt.log
        remaining = [step.execution for step in self.steps]
        self.runner.run(_awaited(lambda: self.store.database.write(lambda c: _end_all(c, remaining))))


async def _awaited(act: Callable[[], Awaitable[Any]]) -> Any:
    return await act()


def _place_ready(connection: Connection, placed: list[Placed]) -> None:
    place(connection, placed)
    ids = [one.step_id for one in placed]
    connection.execute(t.attempts.delete().where(t.attempts.c.step_execution_id.in_(ids)))
    fresh = {"attempt_id": None, "attempt_number": 0}
    connection.execute(t.step_executions.update().where(t.step_executions.c.id.in_(ids)).values(**fresh))


def _end_all(connection: Connection, executions: list[str]) -> None:
    """Let the next example begin without the steps of this one."""
    mine = t.step_executions.c.execution_id.in_(executions)
    ids = select(t.step_executions.c.id).where(mine)
    connection.execute(t.attempts.delete().where(t.attempts.c.step_execution_id.in_(ids)))
    connection.execute(t.step_executions.delete().where(mine))


def _read(connection: Connection, executions: list[str]) -> dict[str, Any]:
    query = select(t.step_executions).where(t.step_executions.c.execution_id.in_(executions))
    return {row.id: row for row in connection.execute(query)}


def _controls(connection: Connection) -> dict[str, int]:
    query = select(t.progress.c.execution_id, t.progress.c.control)
    return {row.execution_id: row.control for row in connection.execute(query)}


def _end(
    step: Known,
    attempt: Try,
    state: StepState,
    event: StepEvent,
    actor: Actor,
    session: str | None,
    retry: r.NextTry | None = None,
    *,
    reported: bool = True,
) -> r.StepEnd:
    return r.StepEnd(
        step_id=step.id,
        execution_id=step.execution,
        stage=0,
        attempt_id=attempt.id,
        agent_id=AGENT,
        session=session,
        state=state,
        event=event,
        actor=actor,
        outcome={"state": state.value} if reported else {"state": state.value, "reported": False},
        control=step.control,
        remaining=(0, 9),
        lane_ends=False,
        failed=False,
        retry=retry,
    )


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_whatever_happens_in_whatever_order_store_and_model_agree(kind: str, request: pytest.FixtureRequest) -> None:
    url = request.getfixturevalue("sqlite_url" if kind == "sqlite" else "postgres_url")
    with asyncio.Runner() as runner:
        stack = AsyncExitStack()
        store = runner.run(stack.enter_async_context(opened(url)))
        machine = type("Machine", (StoreMachine,), {"runner": runner, "store": store})
        run_state_machine_as_test(
            machine,
            settings=settings(
                max_examples=20,
                stateful_step_count=30,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        runner.run(stack.aclose())
