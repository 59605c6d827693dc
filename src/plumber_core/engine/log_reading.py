"""Attempts' logs, read: a slice from an offset, a line or the end."""

from __future__ import annotations

from plumber_core.engine.core import Engine
from plumber_core.errors import InvalidRequest, NotFound
from plumber_core.model.records import LogPiece, LogPlace
from plumber_core.model.views import LogSlice
from plumber_core.protocol.frames import HEADER, MAX_CHUNK, decode_frames, whole_length

MOST = 4 * MAX_CHUNK


async def read_log(engine: Engine, attempt: str, place: LogPlace, limit: int) -> LogSlice:
    """Return whole frames of a log from a place on, about ``limit`` bytes.

    Raises: NotFound, InvalidRequest.
    """
    _check_place(place)
    piece = await engine.store.read_log_from(attempt, place, max(1, min(limit, MOST)))
    if piece is None:
        raise NotFound(kind="attempt", name=attempt)
    _check_inside(place, piece)
    return slice_of(attempt, piece, exact=place.tail is None)


def _check_place(place: LogPlace) -> None:
    if place.line is not None and place.tail is not None:
        raise InvalidRequest(field="tail", reason="give either a line or a tail")
    if place.offset and (place.line is not None or place.tail is not None):
        raise InvalidRequest(field="offset", reason="give either an offset or another place")
    for field, value in (("line", place.line), ("tail", place.tail)):
        if value is not None and value < 0:
            raise InvalidRequest(field=field, reason="must not be negative")


def _check_inside(place: LogPlace, piece: LogPiece) -> None:
    if place.offset < 0 or place.offset > piece.attempt.log_end:
        raise InvalidRequest(field="offset", reason=f"the log ends at {piece.attempt.log_end}")
    if place.line is not None and place.line > piece.lines:
        raise InvalidRequest(field="line", reason=f"the log has {piece.lines} lines")


def slice_of(attempt: str, piece: LogPiece, *, exact: bool) -> LogSlice:
    """Return the frames from the wanted offset on; unless ``exact``, from the frame that holds it.

    Raises: InvalidRequest (an exact offset inside a frame).
    """
    skipped, newlines = _before(piece.data, piece.offset - piece.start)
    if exact and piece.start + skipped != piece.offset:
        raise InvalidRequest(field="offset", reason="it is inside a frame")
    data = piece.data[skipped : whole_length(piece.data)]
    row = piece.attempt
    return LogSlice(
        attempt=attempt,
        offset=piece.start + skipped,
        data=data,
        end=row.log_end,
        complete=row.log_state != "open" and row.ended_at is not None,
        line=piece.line + newlines,
        lines=piece.lines,
    )


def _before(data: bytes, wanted: int) -> tuple[int, int]:
    """Return the length of the whole frames within the first ``wanted`` bytes, and their newlines."""
    length = newlines = 0
    for frame in decode_frames(data[:wanted]):
        length += HEADER.size + len(frame.data)
        newlines += frame.data.count(b"\n")
    return length, newlines
