"""Attempts' logs: bytes by offset."""

from __future__ import annotations

from collections.abc import Sequence

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


class LogPart(StorePart):
    """Implements ``ports.LogStore``."""

    async def append(self, agent_id: str, chunks: Sequence[tuple[str, int, bytes]]) -> dict[str, int]:
        wanted = sorted({attempt for attempt, _, _ in chunks})
        lock = (
            select(_attempt.id, _attempt.log_end, _attempt.log_newlines, _attempt.log_total)
            .where(_attempt.id.in_(wanted), _attempt.agent_id == agent_id)
            .order_by(_attempt.id)
            .with_for_update()
        )

        def work(connection: Connection) -> dict[str, int]:
            found = {row.id: (row.log_end, row.log_newlines, row.log_total) for row in connection.execute(lock)}
            ends = {attempt: found[attempt][0] if attempt in found else NOT_YOURS for attempt in wanted}
            lines = {attempt: values[1] for attempt, values in found.items()}
            rows = []
            for attempt, offset, data in chunks:
                if attempt not in found or offset > ends[attempt] or offset + len(data) <= ends[attempt]:
                    continue
                fresh = data[ends[attempt] - offset :]
                row = (attempt, ends[attempt], ends[attempt] + len(fresh), lines[attempt], fresh)
                rows.append(dict(zip(("attempt_id", "start", "stop", "newlines_before", "data"), row, strict=True)))
                ends[attempt] += len(fresh)
                lines[attempt] += newlines(fresh)
            if rows:
                connection.execute(insert(t.log_chunks), rows)
            for attempt in {row["attempt_id"] for row in rows}:
                values = {"log_end": ends[str(attempt)], "log_newlines": lines[str(attempt)]}
                connection.execute(update(t.attempts).where(_attempt.id == attempt).values(**values))
            return ends

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
