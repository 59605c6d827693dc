"""Bytes of two streams become lines, wherever frames cut them."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import NamedTuple

from plumber_core.protocol.frames import STREAM_NAMES, decode_frames
from plumber_core.terminal.sanitise import carriage_returns

LONGEST_LINE = 64 * 1024
"""Characters after which a line without an end is shown in pieces, so that it cannot fill the memory."""


class Line(NamedTuple):
    """One line of output without its end; ``stream`` is a number of ``protocol.frames``."""

    stream: int
    text: str


class LineAssembler:
    """Takes one attempt's log in order; gives its lines. Bytes that are no UTF-8 are replaced."""

    def __init__(self) -> None:
        self._decoders = {s: codecs.getincrementaldecoder("utf-8")("replace") for s in STREAM_NAMES}
        self._partial = dict.fromkeys(STREAM_NAMES, "")

    def feed(self, frames: bytes) -> Iterator[Line]:
        """Yield the lines that the next whole frames complete."""
        for frame in decode_frames(frames):
            if frame.stream in self._decoders:
                text = self._decoders[frame.stream].decode(frame.data)
                yield from self._lines(frame.stream, text)

    def close(self) -> Iterator[Line]:
        """Yield what was left without an end of line."""
        for stream, decoder in self._decoders.items():
            yield from self._lines(stream, decoder.decode(b"", final=True))
            if rest := self._partial[stream]:
                self._partial[stream] = ""
                yield Line(stream, carriage_returns(rest))

    @property
    def partial(self) -> str:
        """What stands on the current line of any stream: a prompt, or a progress bar."""
        return next((carriage_returns(text) for text in self._partial.values() if text), "")

    def _lines(self, stream: int, text: str) -> Iterator[Line]:
        *lines, rest = (self._partial[stream] + text).split("\n")
        for line in lines:
            yield Line(stream, carriage_returns(line))
        while len(rest) > LONGEST_LINE:
            yield Line(stream, carriage_returns(rest[:LONGEST_LINE]))
            rest = rest[LONGEST_LINE:]
        self._partial[stream] = rest
