"""The text of a log as a person reads it, piece by piece: decoded, without escape sequences, lines numbered.

A line ends with a newline of its own stream; its number is the count of newlines, of all streams, before that one.
"""

from __future__ import annotations

import bisect
import codecs
import re
from dataclasses import dataclass, field

from plumber_core.protocol.frames import STREAM_NAMES, decode_frames

# A sequence never reaches over a newline: an unfinished one must not hide what follows.
ESCAPES = re.compile(
    r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]PX^_][^\x07\x1b\n]*(?:\x07|\x1b\\)|[ -/]+[0-~]|[0-OQ-WYZ\\`-~])", re.ASCII
)
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b\n]*\x1b?|[ -/]*)\Z")
MOST_HELD = 4096
"""Characters of an unfinished escape sequence that wait for their rest."""


@dataclass(slots=True)
class Batch:
    """What one stream printed next; ``text`` may begin and end within a line."""

    stream: int
    text: str
    _ordinals: list[int] = field(default_factory=list)
    _numbers: list[int] = field(default_factory=list)

    def number(self, ordinal: int) -> int:
        """Return the number of the line that this stream's newline of this ordinal (in the batch) ends."""
        place = bisect.bisect_right(self._ordinals, ordinal) - 1
        return self._numbers[place] + ordinal - self._ordinals[place]

    def add(self, ordinal: int, number: int) -> None:
        """Note that newlines from ``ordinal`` on end the lines from ``number`` on."""
        self._ordinals.append(ordinal)
        self._numbers.append(number)


class _Stream:
    """Decodes one stream whatever the cuts."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""
        self.is_open = False

    def take(self, data: bytes, *, final: bool = False) -> str:
        """Return the text so far, without escape sequences."""
        if data:
            self.is_open = not data.endswith(b"\n")
        text = self._held + self._decoder.decode(data, final)
        self._held = ""
        if "\x1b" not in text:
            return text
        unfinished = None if final else _UNFINISHED.search(text, max(0, len(text) - MOST_HELD))
        if unfinished:
            self._held = unfinished.group()
            text = text[: unfinished.start()]
        return ESCAPES.sub("", text)


class LogText:
    """Turns whole frames into batches of text."""

    def __init__(self) -> None:
        self._streams = {stream: _Stream() for stream in STREAM_NAMES}
        self.lines = 0

    def feed(self, data: bytes) -> list[Batch]:
        """Return the text of the next frames, by stream."""
        batches = {stream: Batch(stream, "") for stream in self._streams}
        parts: dict[int, list[bytes]] = {stream: [] for stream in self._streams}
        counts = dict.fromkeys(self._streams, 0)
        for frame in decode_frames(data):
            parts[frame.stream].append(frame.data)
            if newlines := frame.data.count(b"\n"):
                batches[frame.stream].add(counts[frame.stream], self.lines)
                counts[frame.stream] += newlines
                self.lines += newlines
        for stream, batch in batches.items():
            batch.text = self._streams[stream].take(b"".join(parts[stream]))
        return [batch for batch in batches.values() if batch.text]

    def finish(self) -> list[Batch]:
        """Return the lines without a newline as though they had one: numbered last, in order of streams."""
        batches: list[Batch] = []
        for stream, text in self._streams.items():
            if text.is_open:
                batch = Batch(stream, text.take(b"", final=True) + "\n")
                batch.add(0, self.lines + len(batches))
                batches.append(batch)
        return batches
