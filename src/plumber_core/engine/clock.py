"""The engine's only clock: for waiting within this process. What is stored is compared by the database's."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime

TOLERATED = 5.0
"""Seconds by which the database's clock and one that cannot jump may be apart and mean nothing."""


def monotonic() -> float:
    """Return seconds on the event loop's clock, which a simulator can turn as it likes."""
    return asyncio.get_running_loop().time()


def moment(microseconds: int) -> datetime:
    """Return a database time for people and programs."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


@dataclass(slots=True)
class ClockWatch:
    """Compares how far the database's clock went with how long it took."""

    _database: float | None = None
    _before: float = 0.0
    _after: float = 0.0

    def reading(self, steady: float) -> int | None:
        """Return what the database's clock shows if it has not jumped since it was last compared, in microseconds.

        What expires is measured by this, so that a jump between two comparisons expires nothing. None before the first.
        """
        if self._database is None:
            return None
        return round((self._database + steady - self._after) * 1_000_000)

    def jump(self, before: float, database: float, after: float) -> float:
        """Return by how many seconds the database's clock has jumped since the last reading, 0.0 when it has not.

        Args:
            before: a steady clock when the database was asked.
            database: what its clock said, in seconds.
            after: the steady clock when it had answered.
        """
        last, low, high = self._database, before - self._after, after - self._before
        self._database, self._before, self._after = database, before, after
        if last is None:
            return 0.0
        went = database - last
        if low - TOLERATED <= went <= high + TOLERATED:
            return 0.0
        return went - (low + high) / 2
