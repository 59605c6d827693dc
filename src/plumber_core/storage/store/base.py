"""What every part of the store shares."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Connection, Row, func

from plumber_core import crash
from plumber_core.crash import crash_point
from plumber_core.model import records as r
from plumber_core.model.states import StepState
from plumber_core.storage import tables as t
from plumber_core.storage.database import Database
from plumber_core.storage.script import Script

Value = TypeVar("Value")


def now() -> Any:
    """The database's clock as an SQL expression."""
    return func.plumber_now(type_=BigInteger)


def microseconds(seconds: float) -> int:
    """Return seconds as the database counts."""
    return int(seconds * 1_000_000)


def optional_microseconds(seconds: float | None) -> int | None:
    """Return seconds as the database counts; None stays None."""
    return None if seconds is None else microseconds(seconds)


def dumps(value: Any) -> str:
    """Return compact JSON; what is not JSON is a programming error."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def optional_json(value: str | None) -> Any:
    """Read JSON, keep None."""
    return None if value is None else json.loads(value)


class StorePart:
    """A part of the store: ``read`` and ``write`` run synchronous work over a connection."""

    database: Database

    @property
    def dialect(self) -> str:
        """``sqlite`` or ``postgresql``."""
        return self.database.dialect

    @property
    def counts(self) -> Counter[str]:
        """The metrics of this process."""
        return self.database.counts

    async def read(self, work: Callable[[Connection], Value]) -> Value:
        """Run reading work."""
        return await self.database.read(work)

    async def look(self, work: Callable[[Connection], Value]) -> Value:
        """Run reading work for somebody who looks at a page: agents never wait for it."""
        return await self.database.look(work)

    async def write(self, act: str, work: Callable[[Connection], Value]) -> Value:
        """Run work in one transaction; ``act`` names its crash points."""

        def up_to_commit(connection: Connection) -> Value:
            value = work(connection)
            crash_point(f"server.{act}.before_commit")
            return value

        return await self._passing(act, self.database.write(up_to_commit if crash.armed else work))

    async def single(self, act: str, work: Callable[[Connection], Value]) -> Value:
        """Run one writing statement, which is its own transaction."""
        crash_point(f"server.{act}.before_commit")
        return await self._passing(act, self.database.single(work))

    async def hot(self, act: str, script: Script, parameters: dict[str, Any]) -> bool:
        """Carry out a guarded write; say whether its guard held."""
        crash_point(f"server.{act}.before_commit")
        return await self._passing(act, self.database.hot(script, parameters))

    async def _passing(self, act: str, writing: Awaitable[Value]) -> Value:
        value = await writing
        crash_point(f"server.{act}.after_commit")
        return value


def step_row(row: Row[Any]) -> r.StepRow:
    """Read a row of ``step_executions``."""
    values = row._mapping
    return r.StepRow(
        id=values[t.step_executions.c.id],
        execution_id=values[t.step_executions.c.execution_id],
        stage=values[t.step_executions.c.stage],
        step=values[t.step_executions.c.step],
        lane=values[t.step_executions.c.lane],
        agent_id=values[t.step_executions.c.agent_id],
        round=values[t.step_executions.c.round],
        state=StepState(values[t.step_executions.c.state]),
        attempt_id=values[t.step_executions.c.attempt_id],
        attempt_number=values[t.step_executions.c.attempt_number],
        spec=optional_json(values[t.step_executions.c.spec]),
        started_at=values[t.step_executions.c.started_at],
        ended_at=values[t.step_executions.c.ended_at],
        cancel_requested=values[t.step_executions.c.cancel_requested],
        ready_at=values[t.step_executions.c.ready_at],
        retries=values[t.step_executions.c.retries],
        pool=values[t.step_executions.c.pool],
        cause=optional_json(values[t.step_executions.c.cause]),
        by_hand=values[t.step_executions.c.by_hand],
    )


_PLAIN = (
    "id", "step_execution_id", "execution_id", "agent_id", "number", "session", "beat", "boot_id", "epoch",
    "started_at", "ended_at", "state", "exit_code", "signal", "error", "detail", "duration", "log_end", "log_total",
    "log_state",
)  # fmt: skip


def attempt_row(row: Row[Any]) -> r.AttemptRow:
    """Read a row of ``attempts``."""
    values = row._mapping
    plain = {name: values[t.attempts.c[name]] for name in _PLAIN}
    return r.AttemptRow(
        **plain,
        outputs=json.loads(values[t.attempts.c.outputs]),
        outcome=optional_json(values[t.attempts.c.outcome]),
        late=optional_json(values[t.attempts.c.late]),
    )


_EVENT = t.events.insert().values(xid=func.plumber_xid(type_=BigInteger), at=now())


def insert_event(
    connection: Connection, kind: str, execution: str | None, agent: str | None, data: dict[str, Any]
) -> None:
    """Append to the event log inside the caller's transaction."""
    values = {"kind": kind, "execution_id": execution, "agent_id": agent, "data": dumps(data)}
    connection.execute(_EVENT, values)


def insert_events(
    connection: Connection, kind: str, execution: str, told: Sequence[tuple[str | None, dict[str, Any]]]
) -> None:
    """Append one event of a kind for each agent with its data, inside the caller's transaction."""
    rows = [{"kind": kind, "execution_id": execution, "agent_id": agent, "data": dumps(data)} for agent, data in told]
    if rows:
        connection.execute(_EVENT, rows)
