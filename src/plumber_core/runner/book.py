"""The journal and its meaning kept together: what is written is known, what is known was written."""

from __future__ import annotations

from plumber_core.crash import crash_point
from plumber_core.runner.clock import CLOCK, Clock
from plumber_core.runner.disk import DISK, Disk
from plumber_core.runner.journal import Journal, Record
from plumber_core.runner.ledger import Ledger

SYNC_WITHIN = 0.015
"""Seconds from a written exit to its sync, so that exits of the same moment share one; promised are 20 ms."""
AGAIN = 0.25
"""Seconds between tries on a disk that fails."""
COMPACT_AT = 1024 * 1024
_BUSY_FACTOR = 8
"""While commands run, compaction waits until the journal is this many times as large: it stops the loop."""


class Book:
    """Every change of an attempt's state goes through ``write``."""

    def __init__(self, path: str, disk: Disk = DISK, clock: Clock = CLOCK) -> None:
        self._clock = clock
        self.journal = Journal(path, disk)
        self.ledger = Ledger()
        for record in self.journal.contents.records:
            self.ledger.apply(record)
        self.ledger.damage(self.journal.contents.damaged)
        del self.journal.contents
        self._sync_at: float | None = None
        self._exits = False
        self._compact_at = COMPACT_AT

    def write(self, *records: Record) -> None:
        """Write records and fold them in.

        Raises:
            OSError: nothing was written and nothing has changed.
        """
        self.journal.append(*records)
        for record in records:
            self.ledger.apply(record)

    def note(self, record: Record) -> None:
        """Write a record that says only what can be said again after a restart; kept in mind when it cannot be."""
        try:
            self.write(record)
        except OSError:
            self.ledger.apply(record)

    def sync(self) -> None:
        """Make everything durable now.

        Raises:
            OSError: the disk failed.
        """
        self._sync_at, self._exits = None, False
        try:
            self.journal.sync()
        except OSError:
            self._write_anew()

    def made_durable(self) -> str:
        """Make everything durable before the machine is asked to restart; return why that is impossible, if it is."""
        try:
            self.sync()
        except OSError as error:
            return error.strerror or str(error)
        crash_point("supervisor.restart_synced")
        return ""

    def _write_anew(self) -> None:
        """Put everything into a second file: the first one cannot be trusted with it any more."""
        self.journal.rewrite(self.ledger.compacted(self._clock.wall()))
        self._compact_at = max(COMPACT_AT, 2 * self.journal.size)

    def sync_soon(self, *, exits: bool = True) -> None:
        """Make everything durable within ``SYNC_WITHIN``; ``exits`` is False when only starts are waiting for it."""
        self._exits = self._exits or exits
        if self._sync_at is None:
            self._sync_at = self._clock.boottime() + SYNC_WITHIN

    def deadline(self) -> float:
        """Return when ``tick`` wants to be called."""
        return self._sync_at if self._sync_at is not None else float("inf")

    def tick(self, now: float) -> bool:
        """Sync when it is time; say whether everything written is durable."""
        if self._sync_at is not None and now >= self._sync_at:
            exits = self._exits
            try:
                self.sync()
            except OSError:
                self._sync_at, self._exits = now + AGAIN, exits
            if exits:
                crash_point("supervisor.exit_synced")
        return not self.journal.dirty

    def compact(self, busy: bool) -> None:
        """Rewrite the journal when most of it says nothing any more; never raises, the old one stands.

        Args:
            busy: whether commands run, which a long write would keep waiting.
        """
        if self.journal.size < self._compact_at * (_BUSY_FACTOR if busy else 1):
            return
        try:
            self._write_anew()
        except OSError:
            self._compact_at = self.journal.size + COMPACT_AT
        else:
            self._sync_at = None
