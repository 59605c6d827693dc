"""What the server knows all of, kept for a while: a database may forget its last commits, and then asks again.

Pure: no file, no clock. Records are kept as text, a few hundred bytes each; the logs lie where they lay, and go first:
without its log an attempt is still known, and nobody runs it again.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

LIFE = 24 * 3600
"""Seconds (wall time) for which a settled attempt is kept at most, and refused as long."""
MOST = 10_000
MOST_BYTES = 1024**3
MOST_META = 4096
_FILES = 8192
"""What an attempt's files take on the disk beside its log's bytes."""


class _Lot(NamedTuple):
    """``size`` is what its files take, 0 when it has none any more."""

    at: int
    size: int
    shared: bool
    text: str


class Kept:
    """Settled attempts, the oldest first; ``limit`` is how many bytes of disk they may take."""

    def __init__(self) -> None:
        self.limit = MOST_BYTES
        self._lots: dict[str, _Lot] = {}
        self._bytes = 0

    def add(self, at: int, view: dict[str, Any]) -> None:
        """Keep what the link sees of an attempt that was settled ``at``."""
        size = 0 if view["state"] == "void" else view["log_end"] + _FILES
        # Processes that it left behind may still have its files open.
        shared = view["exit"] is None or bool(view["exit"].get("orphans"))
        if len(json.dumps(view["meta"])) > MOST_META:
            view = {**view, "meta": {}}
        self._lots[view["attempt"]] = _Lot(at, size, shared, json.dumps(view, separators=(",", ":")))
        self._bytes += size

    def settled_since(self, moment: int) -> list[str]:
        """Return the attempts that were settled at ``moment`` or later."""
        return [attempt for attempt, lot in self._lots.items() if lot.at >= moment]

    def take(self, attempt: str) -> dict[str, Any] | None:
        """Give the view of an attempt back, which is then not kept here any more."""
        lot = self._lots.pop(attempt, None)
        if lot is None:
            return None
        self._bytes -= lot.size
        view: dict[str, Any] = json.loads(lot.text)
        return view

    def records(self) -> dict[str, dict[str, Any]]:
        """Return the view of each."""
        return {attempt: json.loads(lot.text) for attempt, lot in self._lots.items()}

    def surplus(self, now: int, *, everything: bool) -> Iterator[tuple[str, bool]]:
        """Yield each attempt whose files have to go, of ``everything`` or of the oldest, and whether they may still be
        in use. What became of an attempt stays known until it is too old or one of too many."""
        yield from self._outlived(now)
        limit = 0 if everything else self.limit
        for attempt, lot in list(self._lots.items()) if self._bytes > limit else ():
            if lot.size and self._bytes > limit:
                self._lots[attempt] = lot._replace(size=0)
                self._bytes -= lot.size
                yield attempt, lot.shared

    def _outlived(self, now: int) -> Iterator[tuple[str, bool]]:
        while self._lots:
            attempt, lot = next(iter(self._lots.items()))
            if now - lot.at <= LIFE and len(self._lots) <= MOST:
                return
            self.take(attempt)
            if lot.size:
                yield attempt, lot.shared
