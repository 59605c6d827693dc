"""What a new supervisor makes of attempts whose supervisor died: nobody saw their end."""

from __future__ import annotations

from typing import Any

from plumber_core.crash import crash_point
from plumber_core.runner.book import Book
from plumber_core.runner.disk import Disk
from plumber_core.runner.journal import Record
from plumber_core.runner.ledger import Entry
from plumber_core.runner.processes import Processes
from plumber_core.runner.spool import whole_end


def recover(book: Book, spool: str, boot: str, disk: Disk, processes: Processes) -> None:
    """Give every attempt that has begun and not ended its end: what its supervisor saw, else ``unknown``.

    What is left of its processes is killed first when this is still the same boot: an unknown attempt must not go on.

    An exit keeps the length that its log had, also when the machine stopped before the log was on the disk: what is
    missing then is missed, where a shorter length would make a complete log of the rest.

    A full disk does not stop it: the next supervisor comes to the same conclusion, and this one can make room.
    """
    for entry in book.ledger.unresolved():
        if entry.boot in (boot, ""):
            processes.kill_tree(entry.attempt, entry.pid, entry.ticks)
            crash_point("supervisor.leftovers_killed")
        book.note(_end_of(entry, whole_end(f"{spool}/{entry.attempt}.log", entry.trimmed, disk), boot))
        crash_point("supervisor.leftover_written")
    book.sync_soon()


def _end_of(entry: Entry, end: int, boot: str) -> Record:
    record: Record = {"attempt": entry.attempt, "end": end}
    if entry.reaped is not None:
        return record | {"kind": "exit", "exit": entry.reaped}
    return record | {"kind": "unknown", "exit": _unknown(_why(entry, boot))}


def _why(entry: Entry, boot: str) -> str:
    if entry.damaged:
        return "journal_damaged"
    return "supervisor_died" if entry.boot == boot else "rebooted"


def _unknown(error: str) -> dict[str, Any]:
    return {"state": "unknown", "error": error}
