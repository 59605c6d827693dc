"""What a new supervisor makes of attempts whose supervisor died: nobody saw their end."""

from __future__ import annotations

from typing import Any

from plumber_core.runner import proctree
from plumber_core.runner.book import Book
from plumber_core.runner.crash import crash_point
from plumber_core.runner.journal import Record
from plumber_core.runner.ledger import Entry
from plumber_core.runner.spool import whole_end


def recover(book: Book, spool: str, boot: str) -> None:
    """Give every attempt that has begun and not ended its end: what its supervisor saw, else ``unknown``.

    What is left of its processes is killed first when this is still the same boot: an unknown attempt must not go on.

    A full disk does not stop it: the next supervisor comes to the same conclusion, and this one can make room.
    """
    for entry in book.ledger.unresolved():
        if entry.boot in (boot, ""):
            proctree.kill_tree(entry.attempt, entry.pid, entry.ticks)
            crash_point("supervisor.leftovers_killed")
        book.note(_end_of(entry, whole_end(f"{spool}/{entry.attempt}.log", entry.trimmed), boot))
    for entry in book.ledger.entries.values():
        if entry.boot != boot and entry.end:
            entry.end = min(entry.end, whole_end(f"{spool}/{entry.attempt}.log", entry.trimmed))
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
