"""Commands that run and of which neither the journal nor the link has been told more than that they were begun.

One that ends at once needs no record of its start and no message about it: its exit says all.
"""

from __future__ import annotations

from plumber_core.crash import crash_point
from plumber_core.runner.attempt import FOREVER, Running
from plumber_core.runner.book import Book

NOTED_AFTER = 0.01
"""Seconds after which a start is told: most commands that only look or touch something have ended by then."""


class Beginnings:
    """Running commands whose start is not noted yet, the oldest first. Times are CLOCK_BOOTTIME seconds."""

    def __init__(self, book: Book) -> None:
        self._book = book
        self._runs: dict[str, Running] = {}

    def add(self, run: Running) -> None:
        """Take a command that was just started."""
        self._runs[run.attempt] = run

    def drop(self, attempt: str) -> bool:
        """Forget a command whose main process has ended; say whether its start was not told."""
        return self._runs.pop(attempt, None) is not None

    def deadline(self) -> float:
        """Return when ``due`` has something to return."""
        return next((run.started + NOTED_AFTER for run in self._runs.values()), FOREVER)

    def due(self, now: float) -> list[Running]:
        """Return those whose start is to be told at ``now``, once each."""
        due = [run for run in self._runs.values() if run.started + NOTED_AFTER <= now]
        for run in due:
            del self._runs[run.attempt]
        return due

    def note(self, run: Running) -> None:
        """Write down which process it is; a disk that refuses that loses nothing that is promised.

        It is durable soon: should the machine lose its power and the database its last commits, nobody else would know
        that the command ever ran.
        """
        try:
            self._book.write({"attempt": run.attempt, "kind": "started", "pid": run.pid, "ticks": run.ticks})
        except OSError:
            self._book.ledger.entries[run.attempt].state = "running"
        self._book.sync_soon(exits=False)
        crash_point("supervisor.started_written")
