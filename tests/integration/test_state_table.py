"""One table, three judges: the pure function, SQLite and PostgreSQL agree about every combination there is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Awaitable, Callable
from enum import StrEnum
from itertools import product
from typing import Any

import pytest
from sqlalchemy import Connection, insert, text

from plumber_core.errors import TransitionRefused
from plumber_core.model import records as r
from plumber_core.model import states
from plumber_core.model.states import (
    ENDING_EVENTS,
    STEP_EDGES,
    STEP_RULES,
    Actor,
    StepEvent,
    StepState,
    move_step,
)
from plumber_core.storage import tables as t
from plumber_core.storage.guards import becomes, guard
from plumber_core.storage.store.sql_store import SqlStore
from support.step_rows import AGENT, SESSION, Placed, opened, place, states_of

BOTH = (True, False)
COMBINATIONS = list(product(StepState, StepEvent, Actor, BOTH, BOTH))
NAMED = "the attempt that is named"


async def test_the_function_and_the_guards_of_the_database_agree_about_every_combination(database_url: str) -> None:
    rows = [
        {
            "id": str(number),
            "execution_id": "e",
            "step": number,
            "agent_id": AGENT,
            "state": state.value,
            "spec": f"{event} {actor}",
            "attempt_id": NAMED if current else "a newer one",
            "cancel_requested": cancelled,
        }
        for number, (state, event, actor, current, cancelled) in enumerate(COMBINATIONS)
    ]

    def work(connection: Connection) -> dict[str, StepState]:
        execution = {"id": "e", "task": "t", "state": "running", "plan": "{}", "created_at": 1}
        connection.execute(insert(t.executions).values(**execution))
        connection.execute(insert(t.step_executions), rows)
        for event, actor in product(StepEvent, Actor):
            where = f"spec = :which AND {guard(event, actor)}"
            values = {"which": f"{event} {actor}"} | ({"attempt": NAMED} if STEP_RULES[event].fenced else {})
            connection.execute(text(f"UPDATE step_executions SET state = {becomes(event)} WHERE {where}"), values)
        return states_of(connection)

    async with opened(database_url) as store:
        found = await store.database.write(work)
        assert store.counts["plumber_illegal_transition_total"] == 0
    expected = {
        str(number): move_step(state, event, actor, current=current, cancelled=cancelled) or state
        for number, (state, event, actor, current, cancelled) in enumerate(COMBINATIONS)
    }
    assert len(COMBINATIONS) > 4000
    assert {COMBINATIONS[int(number)]: state for number, state in found.items() if state != expected[number]} == {}


TABLES: tuple[tuple[str, type[StrEnum], Any], ...] = (
    ("step_executions", states.StepState, states.STEP_EDGES),
    ("executions", states.ExecutionState, states.EXECUTION_EDGES),
    ("agents", states.AgentState, states.AGENT_EDGES),
)


@pytest.mark.parametrize(("table", "kind", "edges"), TABLES, ids=[name for name, *_ in TABLES])
async def test_the_database_itself_refuses_every_edge_that_the_table_lacks(
    database_url: str, table: str, kind: type[StrEnum], edges: Any
) -> None:
    async def passes(store: SqlStore, source: str, target: str) -> bool:
        def move(connection: Connection) -> None:
            id_ = str(Counter((source, target)))
            connection.execute(text(f"DELETE FROM {table} WHERE id = :id"), {"id": id_})
            connection.execute(insert(t.metadata.tables[table]).values(**_row(table, id_, source)))
            connection.execute(text(f"UPDATE {table} SET state = :s WHERE id = :id"), {"s": target, "id": id_})

        try:
            await store.database.write(move)
        except TransitionRefused as refused:
            return (refused.arguments["current"], refused.arguments["wanted"]) != (source, target)
        return True

    async with opened(database_url) as store:
        await store.database.write(lambda c: place(c, [Placed.make(StepState.READY)]))
        every = [(str(a), str(b)) for a, b in product(kind, kind)]
        passed = {edge for edge in every if await passes(store, *edge)}
        allowed = {(str(a), str(b)) for a, b in edges} | {(str(a), str(a)) for a in kind}
        assert passed == allowed
        assert store.counts["plumber_illegal_transition_total"] == len(every) - len(allowed)


def _row(table: str, id_: str, state: str) -> dict[str, Any]:
    shared = {"id": id_, "state": state}
    if table == "agents":
        return shared | {"name": id_, "created_at": 1}
    if table == "executions":
        return shared | {"task": "t", "plan": "{}", "created_at": 1}
    execution = text("(SELECT min(id) FROM executions)")
    return shared | {"execution_id": execution, "agent_id": id_, "step": 7}


async def test_triggers_are_put_back_when_a_table_was_rebuilt_without_them(database_url: str) -> None:
    from plumber_core.storage.migrate import upgrade

    def rebuild(connection: Connection) -> None:
        where = " ON step_executions" if connection.dialect.name == "postgresql" else ""
        connection.execute(text(f"DROP TRIGGER step_executions_edges{where}"))

    step = Placed.make(StepState.SUCCEEDED)
    revive = text("UPDATE step_executions SET state = 'running'")
    async with opened(database_url) as store:
        await store.database.write(lambda c: place(c, [step]))
        await store.database.write(rebuild)
        await store.database.migrate(upgrade)
        with pytest.raises(TransitionRefused):
            await store.database.write(lambda c: c.execute(revive) and None)


Operation = Callable[[SqlStore, Placed], Awaitable[Any]]


def _end(state: StepState, actor: Actor, retry: r.NextTry | None = None) -> Operation:
    def end(store: SqlStore, step: Placed) -> Awaitable[Any]:
        return store.end_step(
            r.StepEnd(
                step_id=step.step_id,
                execution_id=step.execution,
                stage=0,
                attempt_id=None if state is StepState.EXPIRED else step.attempt,
                agent_id=AGENT,
                session=SESSION if actor is Actor.AGENT else None,
                state=state,
                event=ENDING_EVENTS[state] if retry is None else StepEvent.RETRY,
                actor=actor,
                outcome={"state": state.value},
                control=0,
                remaining=(0, 9),
                lane_ends=False,
                failed=False,
                retry=retry,
            )
        )

    return end


def _claim(store: SqlStore, step: Placed) -> Awaitable[Any]:
    return store.claim(AGENT, SESSION, limit=10_000, beat=1, boot_id="b", nonce="0000000f")


async def _silence(store: SqlStore, step: Placed) -> None:
    seen = await store.presence("server", {}, 60.0, {})
    assert seen.term is not None
    await store.mark_unreachable(seen.term, 0.0)


RETRY = r.NextTry(delay=0.0)
ENDED_BY_AGENTS = {state: event for state, event in ENDING_EVENTS.items() if state is not StepState.EXPIRED}
OPERATIONS: list[tuple[StepEvent, Actor, Operation]] = [
    *((event, Actor.AGENT, _end(state, Actor.AGENT)) for state, event in ENDED_BY_AGENTS.items()),
    (StepEvent.RETRY, Actor.AGENT, _end(StepState.FAILED, Actor.AGENT, RETRY)),
    (StepEvent.RETRY, Actor.REAPER, _end(StepState.LOST, Actor.REAPER, RETRY)),
    (StepEvent.EXPIRE, Actor.REAPER, _end(StepState.EXPIRED, Actor.REAPER)),
    (StepEvent.WAKE, Actor.REAPER, lambda store, step: store.wake_retries()),
    (StepEvent.LOSE, Actor.REAPER, _end(StepState.LOST, Actor.REAPER)),
    (StepEvent.LOSE, Actor.USER, _end(StepState.LOST, Actor.USER)),
    (StepEvent.SUCCEED, Actor.REAPER, _end(StepState.SUCCEEDED, Actor.REAPER)),
    (StepEvent.NEVER_RAN, Actor.AGENT, lambda store, step: store.requeue(step.attempt, AGENT, SESSION)),
    (StepEvent.HEAR, Actor.AGENT, lambda store, step: store.mark_reachable(AGENT, [step.attempt])),
    (StepEvent.CANCEL, Actor.USER, lambda store, step: store.cancel(step.execution, False)),
    (StepEvent.SILENCE, Actor.REAPER, _silence),
    (StepEvent.BIND, Actor.SERVER, _claim),
]


def _expected(event: StepEvent, actor: Actor, step: Placed) -> StepState:
    if event is StepEvent.BIND and step.state is StepState.BLOCKED:
        return step.state  # what is blocked is bound by the end of what blocks it, never by a claim
    if event is StepEvent.NEVER_RAN and step.cancelled:
        return step.state  # a cancelled step that never ran is ended by STOP, see engine/peer.py
    current = step.current
    if step.state is StepState.CLAIMED and event in GIVES_BACK:
        # The same write gives back what was only claimed; silence asks for the attempt that the step has.
        event, current = StepEvent.GIVE_BACK, current or event is StepEvent.SILENCE
    return move_step(step.state, event, actor, current=current, cancelled=step.cancelled) or step.state


GIVES_BACK = (StepEvent.NEVER_RAN, StepEvent.SILENCE)


@pytest.mark.parametrize(("event", "actor", "operation"), OPERATIONS, ids=[f"{e}-{a}" for e, a, _ in OPERATIONS])
async def test_every_write_of_the_store_moves_a_step_as_the_table_says_and_no_other(
    database_url: str, event: StepEvent, actor: Actor, operation: Operation
) -> None:
    steps = [
        Placed.make(state, cancelled=cancelled, current=current)
        for state, cancelled, current in product(StepState, BOTH, BOTH)
    ]
    async with opened(database_url) as store:
        await store.database.write(lambda connection: place(connection, steps))
        for step in steps:
            await operation(store, step)
        found = await store.read(states_of)
        assert store.counts["plumber_illegal_transition_total"] == 0
    wrong = {step: found[step.step_id] for step in steps if found[step.step_id] is not _expected(event, actor, step)}
    assert wrong == {}


def test_every_edge_is_walked_by_some_event_and_only_by_who_may() -> None:
    walked = {
        (state, target, actor)
        for state, event, actor, current, cancelled in COMBINATIONS
        if (target := move_step(state, event, actor, current=current, cancelled=cancelled)) not in (None, state)
    }
    assert walked == {(a, b, actor) for (a, b), actors in STEP_EDGES.items() for actor in actors}
