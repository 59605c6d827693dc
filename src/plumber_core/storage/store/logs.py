"""Attempts' logs: appending by offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from plumber_core.protocol.frames import newlines
from plumber_core.storage import tables as t
from plumber_core.storage.store.log_reading import LogReadingPart

_attempt, _chunk = t.attempts.c, t.log_chunks.c
_LOCK = (
    select(_attempt.id, _attempt.agent_id, _attempt.log_end, _attempt.log_newlines, _attempt.log_total)
    .add_columns(select(t.meta.c.epoch).scalar_subquery())
    .where(_attempt.id.in_(bindparam("attempts", expanding=True)))
    .order_by(_attempt.id)
    .with_for_update(of=t.attempts)
)
_CHUNK = insert(t.log_chunks)
_GROWN = update(t.attempts).where(_attempt.id == bindparam("attempt"))
NOT_YOURS = -1


@dataclass
class _Log:
    """One log's end while chunks are appended to it."""

    agent: str
    end: int
    lines: int
    total: int | None
    epoch: int

    def add(self, attempt: str, data: bytes) -> dict[str, Any]:
        row = {"attempt_id": attempt, "start": self.end, "stop": self.end + len(data), "newlines_before": self.lines}
        self.end += len(data)
        self.lines += newlines(data)
        return row | {"data": data}

    def values(self) -> dict[str, Any]:
        complete = {"log_state": "complete"} if self.end == self.total else {}
        return {"log_end": self.end, "log_newlines": self.lines, **complete}


class LogPart(LogReadingPart):
    """Implements ``ports.LogStore``."""

    async def append(self, chunks: Sequence[tuple[str, str, int, int, bytes]]) -> tuple[dict[str, int], list[str]]:
        wanted = sorted({attempt for attempt, *_ in chunks})

        def work(connection: Connection) -> tuple[dict[str, int], list[str]]:
            logs = {row.id: _Log(*row[1:]) for row in connection.execute(_LOCK, {"attempts": wanted})}
            ends: dict[str, int] = {}
            rows: list[dict[str, Any]] = []
            for attempt, agent, epoch, offset, data in chunks:
                log = logs.get(attempt)
                if log is None or (log.agent, log.epoch) != (agent, epoch):
                    ends.setdefault(attempt, NOT_YOURS)
                    continue
                if offset <= log.end < offset + len(data):
                    rows.append(log.add(attempt, data[log.end - offset :]))
                ends[attempt] = log.end
            if rows:
                connection.execute(_CHUNK, rows)
            grown = {str(row["attempt_id"]) for row in rows}
            for attempt in grown:
                connection.execute(_GROWN, {"attempt": attempt, **logs[attempt].values()})
            return ends, [attempt for attempt in grown if logs[attempt].end == logs[attempt].total]

        return await self.write("log_append", work)

    async def set_log_state(self, attempt_id: str, state: str) -> None:
        statement = update(t.attempts).where(_attempt.id == attempt_id).values(log_state=state)
        await self.write("set_log_state", lambda connection: connection.execute(statement) and None)
