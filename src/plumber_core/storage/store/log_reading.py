"""Reading attempts' logs: from an offset, a line or the end, each by a fixed number of statements."""

from __future__ import annotations

from sqlalchemy import Connection, and_, select, text

from plumber_core.model import records as r
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import StorePart, attempt_row

_attempt, _chunk = t.attempts.c, t.log_chunks.c
ROWS_AT_ONCE = 1024

# A binary search, bit by bit, for the last byte whose row begins before the wanted newline: rows are ordered by start
# and their newlines grow with it, so that no second index is needed that every append would pay for.
_BYTE_BEFORE_LINE = text("""
WITH RECURSIVE search(low, step) AS (
  SELECT CAST(0 AS BIGINT), CAST(:step AS BIGINT)
  UNION ALL
  SELECT search.low + COALESCE((
           SELECT CASE WHEN c.newlines_before < :line THEN search.step ELSE 0 END FROM log_chunks c
           WHERE c.attempt_id = :attempt AND c.start <= search.low + search.step ORDER BY c.start DESC LIMIT 1), 0),
         search.step / 2
  FROM search WHERE search.step > 0
) SELECT max(low) FROM search""")


class LogReadingPart(StorePart):
    """Implements the reads of ``ports.LogStore``."""

    async def read_log(self, attempt_id: str, offset: int, limit: int) -> tuple[r.AttemptRow, bytes] | None:
        def work(connection: Connection) -> tuple[r.AttemptRow, bytes] | None:
            row = connection.execute(select(t.attempts).where(_attempt.id == attempt_id)).first()
            if row is None:
                return None
            start, _ = _row_at(connection, attempt_id, offset)
            data = _pieces(connection, attempt_id, start, offset, limit)
            if start + len(data) <= offset < row.log_end:
                return None
            return attempt_row(row), data[offset - start :]

        return await self.read(work)

    async def read_log_from(self, attempt_id: str, place: r.LogPlace, limit: int) -> r.LogPiece | None:
        def work(connection: Connection) -> r.LogPiece | None:
            row = connection.execute(select(t.attempts).where(_attempt.id == attempt_id)).first()
            if row is None:
                return None
            offset = _offset(connection, attempt_id, place, row.log_end)
            if offset >= row.log_end:
                return r.LogPiece(attempt_row(row), row.log_newlines, row.log_end, row.log_newlines, row.log_end, b"")
            start, line = _row_at(connection, attempt_id, offset)
            # The line begins somewhere in its row, maybe at the end: what follows it comes from there on.
            data = _pieces(connection, attempt_id, start, offset, limit)
            if start + len(data) <= offset:
                # It was written and is not there any more: whoever deletes its execution is under way.
                return None
            return r.LogPiece(attempt_row(row), row.log_newlines, start, line, offset, data[: row.log_end - start])

        return await self.read(work)


def _offset(connection: Connection, attempt_id: str, place: r.LogPlace, end: int) -> int:
    """Return where a place is, or for a line an offset inside the row that holds its beginning."""
    if place.tail is not None:
        return max(0, end - place.tail)
    if place.line is None:
        return place.offset
    values = {"attempt": attempt_id, "line": place.line, "step": 1 << end.bit_length()}
    return min(int(connection.execute(_BYTE_BEFORE_LINE, values).scalar_one()), max(0, end - 1))


def _row_at(connection: Connection, attempt_id: str, offset: int) -> tuple[int, int]:
    """Return the start of the row that holds a byte, and the newlines before it; the last row for those to come."""
    wanted = (
        select(_chunk.start, _chunk.newlines_before)
        .where(_chunk.attempt_id == attempt_id, _chunk.start <= offset)
        .order_by(_chunk.start.desc())
        .limit(1)
    )
    row = connection.execute(wanted).first()
    return (0, 0) if row is None else (row.start, row.newlines_before)


def _pieces(connection: Connection, attempt_id: str, start: int, offset: int, limit: int) -> bytes:
    """Return the stored rows from the one at ``start`` on, until ``limit`` bytes after ``offset``, so at least one.

    It ends before a row that is not there: whoever deletes a log takes its rows in any order.
    """
    which = and_(_chunk.attempt_id == attempt_id, _chunk.start >= start)
    ranges = select(_chunk.start, _chunk.stop).where(which).order_by(_chunk.start).limit(ROWS_AT_ONCE)
    last = start
    for begin, stop in connection.execute(ranges):
        last = begin
        if stop - offset >= limit:
            break
    rows = select(_chunk.start, _chunk.data).where(which, _chunk.start <= last).order_by(_chunk.start)
    pieces: list[bytes] = []
    length = 0
    for begin, data in connection.execute(rows):
        if begin != start + length:
            break
        pieces.append(bytes(data))
        length += len(pieces[-1])
    return b"".join(pieces)
