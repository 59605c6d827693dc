"""What a loss of power may have left of a log: blocks that were never written read as zeros. Pure."""

from __future__ import annotations

from plumber_core.protocol.frames import HEADER, MAX_FRAME, STREAM_NAMES

SECTOR = 512
_HOLE = bytes(SECTOR)


def frames_left(data: bytes) -> int:
    """Return the length of the whole frames at the start of ``data``, up to where no frame follows."""
    position = 0
    while position + HEADER.size <= len(data):
        stream, _, length = HEADER.unpack_from(data, position)
        if stream not in STREAM_NAMES or length > MAX_FRAME or position + HEADER.size + length > len(data):
            break
        position += HEADER.size + length
    return position


def sure_length(data: bytes, offset: int, follows: bytes) -> int:
    """Return the length of those frames at the start of ``data`` of which nothing can be missing.

    A hole that lies in more than one frame takes the header of the second, so it is either whole within one frame, or
    at the end of what can be read.

    Args:
        data: whole frames.
        offset: where in the file they begin.
        follows: the byte behind them, empty at the end of the file.
    """
    goes_on = bool(follows) and follows[0] in STREAM_NAMES
    if _HOLE not in data and (goes_on or not data.endswith(b"\0")):
        return len(data)
    position = 0
    while position < len(data):
        begin = position + HEADER.size
        end = begin + HEADER.unpack_from(data, position)[2]
        is_last = end == len(data) and not goes_on
        if (is_last and not data[end - 1]) or _has_hole(data, offset, begin, end):
            break
        position = end
    return position


def _has_hole(data: bytes, offset: int, begin: int, end: int) -> bool:
    first = -(offset + begin) % SECTOR + begin
    return any(data[at : at + SECTOR] == _HOLE for at in range(first, end - SECTOR + 1, SECTOR))
