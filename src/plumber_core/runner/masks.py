"""Takes the values of secrets out of a command's output before it reaches a disk.

Part of the supervisor: standard library only, and as little of it as can be. Which byte strings are to be hidden is
told by the executor host, see ``needles.py``.
"""

from __future__ import annotations

from collections.abc import Iterable

MASK = b"[MASKED]"
SEPARATOR = b"\0"
"""Between byte strings on their way from the executor host."""


class Masks:
    """The byte strings that one attempt must not print, and what of its streams is held back: an end that may be the
    beginning of one. Occurrences that overlap become one mask."""

    def __init__(self, needles: Iterable[bytes]) -> None:
        self._needles = [needle for needle in needles if needle]
        self._held: dict[int, bytes] = {}
        self._covered: dict[int, int] = {}

    @classmethod
    def read(cls, told: bytes) -> Masks:
        """Return those that ``SEPARATOR`` separates."""
        return cls(told.split(SEPARATOR))

    def feed(self, stream: int, data: bytes) -> bytes:
        """Return what of a stream may be shown now."""
        data = self._held.pop(stream, b"") + data
        return self._shown(stream, data, len(data) - self._open_end(data))

    def rest(self, stream: int) -> bytes:
        """Return what was held back: nothing follows."""
        data = self._held.pop(stream, b"")
        return self._shown(stream, data, len(data))

    def _shown(self, stream: int, data: bytes, cut: int) -> bytes:
        """Return the data up to ``cut`` and hold back what comes after it."""
        covered = self._covered.pop(stream, 0)
        shown, position = [], 0
        for start, end in self._spans(data, covered):
            goes_on = covered > 0 and start == 0
            if start >= cut and not goes_on:
                break
            shown += [data[position:start], b"" if goes_on else MASK]
            position = end
        shown.append(data[position:cut])
        if cut < len(data):
            self._held[stream], self._covered[stream] = data[cut:], max(0, position - cut)
        return b"".join(shown)

    def of_whole(self, data: bytes) -> bytes:
        """Return something that stands for itself, such as a file, without the byte strings."""
        return self.feed(-1, data) + self.rest(-1)

    def _spans(self, data: bytes, covered: int) -> list[tuple[int, int]]:
        """Return what has to go, in order, overlaps merged; the first ``covered`` bytes have gone already."""
        found = [(0, covered)] if covered else []
        for needle in self._needles:
            start = data.find(needle)
            while start >= 0:
                found.append((start, start + len(needle)))
                start = data.find(needle, start + 1)
        merged: list[tuple[int, int]] = []
        for start, end in sorted(found):
            if merged and start < merged[-1][1]:
                merged[-1] = (merged[-1][0], max(merged[-1][1], end))
            else:
                merged.append((start, end))
        return merged

    def _open_end(self, data: bytes) -> int:
        """Return the length of the longest end that a byte string may begin with."""
        return max((_overlap(data, needle) for needle in self._needles), default=0)


def _overlap(data: bytes, needle: bytes) -> int:
    tail = data[-(len(needle) - 1) :] if len(needle) > 1 else b""
    start = tail.find(needle[:1])
    while start >= 0:
        if needle.startswith(tail[start:]):
            return len(tail) - start
        start = tail.find(needle[:1], start + 1)
    return 0
