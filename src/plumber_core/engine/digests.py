"""Digests of logs as they come by: a log that came whole to one server is not read again to be checked."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence

from plumber_core.protocol.digest import LogDigest

KEPT = 1000
LARGE = 64 * 1024
"""Bytes from which hashing is left to a thread: it needs the interpreter only for its beginning and end."""


class Digests:
    """The digests of growing logs, least recently grown out. One is never further than what the database holds."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, LogDigest] = OrderedDict()
        self._turn = asyncio.Lock()

    async def follow(self, chunks: Sequence[tuple[str, int, bytes]]) -> None:
        """Take chunks (attempt, offset, whole frames) that are being stored; ``agree`` or ``forget`` them then.

        Those of a log whose beginning was not seen are passed over.
        """
        async with self._turn:
            known = [(digest, at, data) for attempt, at, data in chunks if (digest := self._of(attempt, at, data))]
            if sum(len(data) for _, _, data in known) < LARGE:
                _feed(known)
            else:
                await asyncio.to_thread(_feed, known)

    def _of(self, attempt: str, offset: int, data: bytes) -> LogDigest | None:
        if offset == 0 and data and attempt not in self._kept:
            self._kept[attempt] = LogDigest()
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        if attempt in self._kept:
            self._kept.move_to_end(attempt)
        return self._kept.get(attempt)

    def agree(self, ends: Mapping[str, int]) -> None:
        """Forget the logs that do not end where the database says."""
        self.forget(attempt for attempt, end in ends.items() if self._position(attempt) != end)

    def forget(self, attempts: Iterable[str]) -> None:
        """Forget logs of which it is not known what was stored."""
        for attempt in attempts:
            self._kept.pop(attempt, None)

    def take(self, attempt: str, end: int) -> LogDigest | None:
        """Return and forget the digest of a whole log, None when it is not known."""
        known = self._position(attempt) == end
        digest = self._kept.pop(attempt, None)
        return digest if known else None

    def _position(self, attempt: str) -> int | None:
        digest = self._kept.get(attempt)
        return digest.position if digest is not None else None


def _feed(chunks: Iterable[tuple[LogDigest, int, bytes]]) -> None:
    for digest, offset, data in chunks:
        digest.feed(offset, data)
