"""Reading an attempt's log through the control plane, a piece at a time."""

from __future__ import annotations

import codecs
import json
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing

from plumber_core.control.plane import ControlPlane
from plumber_core.errors import Unavailable
from plumber_core.model.views import LogSlice
from plumber_core.protocol.frames import MAX_CHUNK, STDERR, STDOUT, decode_frames
from plumber_core.reasons import because

PIECE = MAX_CHUNK
"""Bytes read at a time: what one download keeps in memory. Larger than any frame, so that each read goes on."""


async def pieces(plane: ControlPlane, attempt: str, first: LogSlice) -> AsyncGenerator[LogSlice, None]:
    """Yield a log from its beginning, which is ``first``, to its end at the time of asking, one piece in memory.

    Raises: NotFound, Unavailable (the log broke off: better no end than a wrong one).
    """
    piece, offset = first, 0
    while offset < first.end:
        if not piece.data:
            raise Unavailable(reason=because("log_part_missing"))
        yield piece
        offset += len(piece.data)
        if offset < first.end:
            piece = await plane.read_log(attempt, offset, PIECE)


async def stream_bytes(
    plane: ControlPlane, attempt: str, streams: frozenset[int], first: LogSlice | None = None
) -> AsyncIterator[bytes]:
    """Yield the bytes of an attempt's streams, in arrival order, up to the log's end at the time of asking.

    Raises: NotFound, Unavailable.
    """
    begin = first or await plane.read_log(attempt, 0, PIECE)
    async with aclosing(pieces(plane, attempt, begin)) as found:
        async for piece in found:
            yield b"".join(frame.data for frame in decode_frames(piece.data) if frame.stream in streams)


async def stream_text(chunks: AsyncIterator[bytes]) -> AsyncIterator[str]:
    """Decode UTF-8 whatever the cuts; what is not UTF-8 is replaced."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    async for chunk in chunks:
        yield decoder.decode(chunk)
    yield decoder.decode(b"", final=True)


async def output_json(plane: ControlPlane, attempt: str) -> bytes:
    """Return both streams of an attempt as a JSON text, complete, undecodable bytes replaced.

    It is made a piece at a time: others are answered meanwhile, whatever the length.
    """
    chunks = stream_bytes(plane, attempt, frozenset((STDOUT, STDERR)))
    told = [json.dumps(text, ensure_ascii=False)[1:-1].encode() async for text in stream_text(chunks)]
    return b'"' + b"".join(told) + b'"'
