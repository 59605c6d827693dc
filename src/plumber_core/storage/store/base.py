"""What every part of the store shares."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Connection, Row, func

from plumber_core.model import records as r
from plumber_core.model.states import StepState
from plumber_core.storage import tables as t
from plumber_core.storage.database import Database

Value = TypeVar("Value")


def now() -> Any:
    """The database's clock as an SQL expression."""
    return func.plumber_now(type_=BigInteger)


def microseconds(seconds: float) -> int:
    """Return seconds as the database counts."""
    return int(seconds * 1_000_000)


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

    async def read(self, work: Callable[[Connection], Value]) -> Value:
        """Run reading work."""
        return await self.database.read(work)

    async def write(self, work: Callable[[Connection], Value]) -> Value:
        """Run work in one transaction."""
        return await self.database.write(work)


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


def insert_event(
    connection: Connection, kind: str, execution: str | None, agent: str | None, data: dict[str, Any]
) -> None:
    """Append to the event log inside the caller's transaction."""
    values = {"kind": kind, "execution_id": execution, "agent_id": agent, "data": dumps(data)}
    connection.execute(t.events.insert().values(xid=func.plumber_xid(type_=BigInteger), at=now(), **values))
