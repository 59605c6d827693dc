"""Reading an attempt's log through the control plane, a piece at a time."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator

from plumber_core.control.plane import ControlPlane
from plumber_core.errors import Unavailable
from plumber_core.model.views import LogSlice
from plumber_core.protocol.frames import MAX_CHUNK, STDERR, STDOUT, decode_frames

PIECE = MAX_CHUNK
"""Bytes read at a time: what one download keeps in memory. Larger than any frame, so that each read goes on."""


async def stream_bytes(
    plane: ControlPlane, attempt: str, streams: frozenset[int], first: LogSlice | None = None
) -> AsyncIterator[bytes]:
    """Yield the bytes of an attempt's streams, in arrival order, up to the log's end at the time of asking.

    Raises: NotFound, Unavailable (the log broke off: better no end than a wrong one).
    """
    piece = first or await plane.read_log(attempt, 0, PIECE)
    end, offset = piece.end, 0
    while offset < end:
        if not piece.data:
            raise Unavailable(reason="a part of the log is missing")
        yield b"".join(frame.data for frame in decode_frames(piece.data) if frame.stream in streams)
        offset += len(piece.data)
        if offset < end:
            piece = await plane.read_log(attempt, offset, PIECE)


async def stream_text(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Decode UTF-8 whatever the cuts; what is not UTF-8 is replaced."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


async def output_text(plane: ControlPlane, attempt: str) -> str:
    """Return both streams of an attempt, complete, undecodable bytes replaced."""
    chunks = stream_bytes(plane, attempt, frozenset((STDOUT, STDERR)))
    return "".join([text async for text in stream_text(chunks)])
