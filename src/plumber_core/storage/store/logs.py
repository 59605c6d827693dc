"""Attempts' logs: bytes by offset."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, and_, insert, select, update

from plumber_core.model import records as r
from plumber_core.protocol.frames import decode_frames
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import StorePart, attempt_row

_attempt, _chunk = t.attempts.c, t.log_chunks.c
NOT_YOURS = -1
ROWS_AT_ONCE = 256


def newlines(data: bytes) -> int:
    """Count the newlines in the payload of whole frames."""
    return sum(frame.data.count(b"\n") for frame in decode_frames(data))


@dataclass
class _Log:
    """One log's end while chunks are appended to it."""

    agent: str
    end: int
    lines: int
    total: int | None

    def add(self, attempt: str, data: bytes) -> dict[str, Any]:
        row = {"attempt_id": attempt, "start": self.end, "stop": self.end + len(data), "newlines_before": self.lines}
        self.end += len(data)
        self.lines += newlines(data)
        return row | {"data": data}

    def values(self) -> dict[str, Any]:
        complete = {"log_state": "complete"} if self.end == self.total else {}
        return {"log_end": self.end, "log_newlines": self.lines, **complete}


class LogPart(StorePart):
    """Implements ``ports.LogStore``."""

    async def append(self, chunks: Sequence[tuple[str, str, int, bytes]]) -> tuple[dict[str, int], list[str]]:
        wanted = sorted({attempt for attempt, *_ in chunks})
        lock = (
            select(_attempt.id, _attempt.agent_id, _attempt.log_end, _attempt.log_newlines, _attempt.log_total)
            .where(_attempt.id.in_(wanted))
            .order_by(_attempt.id)
            .with_for_update()
        )

        def work(connection: Connection) -> tuple[dict[str, int], list[str]]:
            logs = {row.id: _Log(*row[1:]) for row in connection.execute(lock)}
            ends: dict[str, int] = {}
            rows: list[dict[str, Any]] = []
            for attempt, agent, offset, data in chunks:
                log = logs.get(attempt)
                if log is None or log.agent != agent:
                    ends.setdefault(attempt, NOT_YOURS)
                    continue
                if offset <= log.end < offset + len(data):
                    rows.append(log.add(attempt, data[log.end - offset :]))
                ends[attempt] = log.end
            if rows:
                connection.execute(insert(t.log_chunks), rows)
            grown = {str(row["attempt_id"]) for row in rows}
            for attempt in grown:
                connection.execute(update(t.attempts).where(_attempt.id == attempt).values(**logs[attempt].values()))
            return ends, [attempt for attempt in grown if logs[attempt].end == logs[attempt].total]

        return await self.write(work)

    async def read_log(self, attempt_id: str, offset: int, limit: int) -> tuple[r.AttemptRow, bytes] | None:
        def work(connection: Connection) -> tuple[r.AttemptRow, bytes] | None:
            row = connection.execute(select(t.attempts).where(_attempt.id == attempt_id)).first()
            if row is None:
                return None
            return attempt_row(row), b"".join(_pieces(connection, attempt_id, offset, limit))

        return await self.read(work)

    async def set_log_state(self, attempt_id: str, state: str) -> None:
        statement = update(t.attempts).where(_attempt.id == attempt_id).values(log_state=state)
        await self.write(lambda connection: connection.execute(statement) and None)


def _pieces(connection: Connection, attempt_id: str, offset: int, limit: int) -> list[bytes]:
    """Return stored bytes from ``offset`` on: whole rows until ``limit`` is reached, so at least one."""
    which = and_(_chunk.attempt_id == attempt_id, _chunk.stop > offset)
    ranges = select(_chunk.start, _chunk.stop).where(which).order_by(_chunk.start).limit(ROWS_AT_ONCE)
    last = None
    for start, stop in connection.execute(ranges):
        last = start
        if stop - offset >= limit:
            break
    if last is None:
        return []
    rows = select(_chunk.start, _chunk.data).where(which, _chunk.start <= last).order_by(_chunk.start)
    return [bytes(data)[max(0, offset - start) :] for start, data in connection.execute(rows)]
