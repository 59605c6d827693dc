"""One attempt's log: frames in arrival order, as they lie in the spool, on the wire and in the database.

A frame is ``stream:u8  milliseconds since start:u32  length:u32`` (big endian), then ``length`` bytes. Offsets count
bytes of this encoding, so the log is one plain byte sequence that any hand can append to and resume.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

HEADER = struct.Struct(">BII")
STDOUT, STDERR, SYSTEM = 1, 2, 3
"""``SYSTEM`` frames are Plumber's own remarks about the attempt, never the command's bytes."""
STREAM_NAMES = {STDOUT: "stdout", STDERR: "stderr", SYSTEM: "system"}
MAX_FRAME = 256 * 1024
MAX_CHUNK = 1024 * 1024


class Frame(NamedTuple):
    """``data`` arrived on ``stream`` ``milliseconds`` after the start."""

    stream: int
    milliseconds: int
    data: bytes


def encode_frame(stream: int, milliseconds: int, data: bytes) -> bytes:
    """Return the bytes of one frame."""
    return HEADER.pack(stream, min(milliseconds, 0xFFFFFFFF), len(data)) + data


def decode_frames(data: bytes) -> Iterator[Frame]:
    """Yield the whole frames in ``data``, which must start at a frame's first byte; a cut last frame is left out."""
    position, end = 0, len(data)
    while position + HEADER.size <= end:
        stream, milliseconds, length = HEADER.unpack_from(data, position)
        position += HEADER.size
        if position + length > end:
            return
        yield Frame(stream, milliseconds, data[position : position + length])
        position += length


def whole_length(data: bytes) -> int:
    """Return the length of the whole frames at the start of ``data``.

    Raises:
        ValueError: a header that no frame can have.
    """
    position, end = 0, len(data)
    while position + HEADER.size <= end:
        stream, _, length = HEADER.unpack_from(data, position)
        if stream not in STREAM_NAMES or length > MAX_FRAME:
            raise ValueError(f"not a frame at {position}")
        if position + HEADER.size + length > end:
            break
        position += HEADER.size + length
    return position


def newlines(data: bytes) -> int:
    """Count the newlines in the payload of whole frames, without copying them."""
    count, position, end = data.count(b"\n"), 0, len(data)
    while position + HEADER.size <= end:
        _, _, length = HEADER.unpack_from(data, position)
        count -= data.count(b"\n", position, position + HEADER.size)
        position += HEADER.size + length
    return count
