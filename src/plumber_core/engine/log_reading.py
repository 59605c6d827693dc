"""Attempts' logs, read: a slice from an offset, a line or the end."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator

from plumber_core.engine.attempts import ID_LENGTH
from plumber_core.engine.core import Engine
from plumber_core.engine.retention import missing
from plumber_core.errors import InvalidRequest
from plumber_core.model.records import LogPiece, LogPlace
from plumber_core.model.views import LogSlice
from plumber_core.protocol.frames import HEADER, MAX_CHUNK, decode_frames, whole_length
from plumber_core.reasons import because

MOST = 4 * MAX_CHUNK
LEAD = 8 * 1024
"""Bytes before a wanted line that come with it: what stands above it on a screen."""


async def read_log(engine: Engine, attempt: str, place: LogPlace, limit: int) -> LogSlice:
    """Return whole frames of a log from a place on, about ``limit`` bytes.

    Raises: NotFound, Gone, InvalidRequest.
    """
    _check_place(place)
    limit = max(1, min(limit, MOST))
    piece = await engine.store.read_log_from(attempt, place, limit)
    if piece is None:
        raise await missing(engine, "attempt", attempt, attempt[:ID_LENGTH])
    _check_inside(place, piece)
    if place.line is not None:
        begin, stop, newlines = _around(piece.data, place.line - piece.line, limit)
        return _slice(attempt, piece, piece.data[begin:stop], piece.start + begin, piece.line + newlines)
    return slice_of(attempt, piece, exact=place.tail is None)


def _check_place(place: LogPlace) -> None:
    if place.line is not None and place.tail is not None:
        raise InvalidRequest(field="tail", reason=because("line_or_tail"))
    if place.offset and (place.line is not None or place.tail is not None):
        raise InvalidRequest(field="offset", reason=because("offset_or_place"))
    for field, value in (("line", place.line), ("tail", place.tail)):
        if value is not None and value < 0:
            raise InvalidRequest(field=field, reason=because("negative"))


def _check_inside(place: LogPlace, piece: LogPiece) -> None:
    if place.offset < 0 or place.offset > piece.attempt.log_end:
        raise InvalidRequest(field="offset", reason=because("log_ends", end=piece.attempt.log_end))
    if place.line is not None and place.line > piece.lines:
        raise InvalidRequest(field="line", reason=because("log_lines", lines=piece.lines))


def slice_of(attempt: str, piece: LogPiece, *, exact: bool) -> LogSlice:
    """Return the frames from the wanted offset on; unless ``exact``, from the frame that holds it.

    Raises: InvalidRequest (an exact offset inside a frame).
    """
    skipped, newlines = _before(piece.data, piece.offset - piece.start)
    if exact and piece.start + skipped != piece.offset:
        raise InvalidRequest(field="offset", reason=because("inside_frame"))
    data = piece.data[skipped : whole_length(piece.data)]
    return _slice(attempt, piece, data, piece.start + skipped, piece.line + newlines)


def _slice(attempt: str, piece: LogPiece, data: bytes, offset: int, line: int) -> LogSlice:
    row = piece.attempt
    return LogSlice(
        attempt=attempt,
        offset=offset,
        data=data,
        end=row.log_end,
        complete=row.log_state != "open" and row.ended_at is not None,
        line=line,
        lines=piece.lines,
    )


def _around(data: bytes, newlines: int, limit: int) -> tuple[int, int, int]:
    """Find the frames to show for the line behind so many newlines: that which begins it, some before, ``limit`` bytes.

    Returns: where they begin, where they stop, and the newlines before them.
    """
    marks, before, found, stop = [(0, 0)], 0, False, 0
    for begin, stop in _spans(data):
        if not found:
            marks.append((begin, before))
            before += data.count(b"\n", begin + HEADER.size, stop)
            found = before >= newlines
        if found and stop - marks[-1][0] >= limit:
            break
    start, skipped = marks[bisect_left(marks, (marks[-1][0] - LEAD, 0))]
    return start, stop, skipped


def _spans(data: bytes) -> Iterator[tuple[int, int]]:
    """Yield where each whole frame begins and stops, its bytes untouched."""
    begin, end = 0, len(data)
    while begin + HEADER.size <= end:
        stop = begin + HEADER.size + HEADER.unpack_from(data, begin)[2]
        if stop > end:
            return
        yield begin, stop
        begin = stop


def _before(data: bytes, wanted: int) -> tuple[int, int]:
    """Return the length of the whole frames within the first ``wanted`` bytes, and their newlines."""
    length = newlines = 0
    for frame in decode_frames(data[:wanted]):
        length += HEADER.size + len(frame.data)
        newlines += frame.data.count(b"\n")
    return length, newlines
