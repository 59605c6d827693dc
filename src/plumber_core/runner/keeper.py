"""The supervisor's keeper of settled attempts: their records can be revived, their files go when room is needed."""

from __future__ import annotations

from plumber_core.crash import crash_point
from plumber_core.runner.book import Book
from plumber_core.runner.machine import Machine
from plumber_core.runner.spares import Spares
from plumber_core.runner.wire import Message


class Keeper:
    """Decides how long files stay whose attempts are forgotten."""

    def __init__(self, book: Book, spares: Spares, spool: str, machine: Machine) -> None:
        self._book, self._spares, self._spool = book, spares, spool
        self._clock, self._disk = machine.clock, machine.disk
        self._kept = book.ledger.kept
        self.settled = False
        """Whether something was forgotten since the last ``tidy``."""

    def revive(self, message: Message) -> list[str]:
        """Take back what was forgotten: with an ``attempt`` that one, else all ``within`` so many seconds."""
        found = self._kept.settled_since(self._clock.wall() - int(message["within"]))
        wanted = [attempt for attempt in found if message.get("attempt") in (None, attempt)]
        for attempt in wanted:
            self._book.note({"attempt": attempt, "kind": "revived"})
            crash_point("supervisor.revived_written")
        return wanted

    def tidy(self) -> None:
        """Let go of what is too old or too much; called when all exits are durable."""
        if self.settled:
            self.settled = False
            self._let_go(everything=self._disk.scarce(self._spool))

    def make_room(self) -> bool:
        """What works now needs the disk more than what may be asked for again; say whether there was any of it."""
        return self._let_go(everything=True)

    def _let_go(self, *, everything: bool) -> bool:
        gone = 0
        for attempt, shared in self._kept.surplus(self._clock.wall(), everything=everything):
            self._spares.discard(self._spool, attempt, shared=shared)
            crash_point("supervisor.files_deleted")
            gone += 1
        return gone > 0
