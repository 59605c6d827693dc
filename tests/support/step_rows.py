"""Step executions put into a state by hand, past every rule: what the state tests begin with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select

from plumber_core.ids import attempt_id, new_id, step_execution_id
from plumber_core.model.states import LIVE_STEP_STATES, StepState
from plumber_core.storage import tables as t
from plumber_core.storage.database import connect
from plumber_core.storage.store.sql_store import SqlStore

AGENT, SESSION = "agent-1", "session-1"


@asynccontextmanager
async def opened(database_url: str) -> AsyncIterator[SqlStore]:
    """Open a store with one agent on an empty database."""
    store = SqlStore(connect(database_url))
    await store.open()
    agent = {"id": AGENT, "name": "a", "session": SESSION, "session_epoch": 1, "created_at": 1, "last_seen_at": 1}
    await store.database.write(lambda connection: connection.execute(insert(t.agents).values(**agent)) and None)
    try:
        yield store
    finally:
        await store.close()


@dataclass(frozen=True)
class Placed:
    """One step in a state of its own execution. ``attempt`` is what its agent will name, current or stale."""

    state: StepState
    cancelled: bool
    current: bool
    execution: str

    @classmethod
    def make(cls, state: StepState, *, cancelled: bool = False, current: bool = True) -> Placed:
        """Return a step that ``place`` can write."""
        return cls(state, cancelled, current, new_id())

    @property
    def step_id(self) -> str:
        """Its id."""
        return step_execution_id(self.execution, 0, 0)

    @property
    def attempt(self) -> str:
        """The attempt that is named when something happens to it."""
        return attempt_id(self.step_id, 1, "00000001")

    @property
    def newest(self) -> str:
        """The attempt that is current in the database."""
        return self.attempt if self.current else attempt_id(self.step_id, 2, "00000002")


def place(connection: Connection, steps: Iterable[Placed]) -> None:
    """Write steps, each the only one of a running execution, with their attempts."""
    placed = list(steps)
    connection.execute(insert(t.executions), [_execution(one) for one in placed])
    connection.execute(insert(t.progress), [{"execution_id": p.execution, "stage": 0, "remaining": 1} for p in placed])
    connection.execute(insert(t.step_executions), [_step(one) for one in placed])
    connection.execute(insert(t.attempts), [row for one in placed for row in _attempts(one)])


def states_of(connection: Connection) -> dict[str, StepState]:
    """Return where every step stands, by its id."""
    rows = connection.execute(select(t.step_executions.c.id, t.step_executions.c.state))
    return {id_: StepState(state) for id_, state in rows}


def _execution(one: Placed) -> dict[str, object]:
    plan = '{"task": "t", "revision": null, "steps": [], "stages": []}'
    return {"id": one.execution, "task": "t", "state": "running", "plan": plan, "created_at": 1, "queue_timeout": 1}


def _step(one: Placed) -> dict[str, object]:
    return {
        "id": one.step_id,
        "execution_id": one.execution,
        "agent_id": AGENT,
        "state": one.state.value,
        "spec": "{}",
        "attempt_id": one.newest,
        "attempt_number": 1 if one.current else 2,
        "cancel_requested": one.cancelled,
        "ready_at": 1,
        "started_at": 1,
    }


def _attempts(one: Placed) -> list[dict[str, object]]:
    """The stale one has ended, as it does before another is handed out."""
    shared = {"step_execution_id": one.step_id, "execution_id": one.execution, "agent_id": AGENT, "started_at": 1}
    live = one.state in LIVE_STEP_STATES
    rows = [{"id": one.newest, "ended_at": None if live else 2, "session": SESSION, **shared}]
    if not one.current:
        rows.append({"id": one.attempt, "ended_at": 2, "session": SESSION, **shared})
    return rows
