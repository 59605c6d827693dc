"""What a new supervisor makes of attempts whose supervisor died: nobody saw their end, unless it is this boot."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from plumber_core.crash import crash_point
from plumber_core.runner.book import Book
from plumber_core.runner.disk import Disk
from plumber_core.runner.journal import Record
from plumber_core.runner.ledger import Entry
from plumber_core.runner.machine import Machine
from plumber_core.runner.restarts import has_restarted, restarted, still_waits
from plumber_core.runner.spool import whole_end


def recover(book: Book, spool: str, boot: str, machine: Machine) -> list[Entry]:
    """Give every attempt that has begun and not ended its end: what its supervisor saw, else ``unknown``.

    What is left of its processes is killed first when this is still the same boot: an unknown attempt must not go on.

    An exit keeps the length that its log had, also when the machine stopped before the log was on the disk: what is
    missing then is missed, where a shorter length would make a complete log of the rest.

    One that asked for a restart has succeeded when this is another boot. In the same boot it is returned: the machine
    may still go down.

    A full disk does not stop it: the next supervisor comes to the same conclusion, and this one can make room.
    """
    waiting = []
    for entry in book.ledger.unresolved():
        if entry.boot in (boot, ""):
            machine.processes.kill_tree(entry.attempt, entry.pid, entry.ticks)
            crash_point("supervisor.leftovers_killed")
        entry.end = whole_end(f"{spool}/{entry.attempt}.log", entry.trimmed, machine.disk)
        if still_waits(entry, boot):
            waiting.append(entry)
            continue
        book.note(_back(entry, spool, boot, machine) if has_restarted(entry, boot) else _end_of(entry, boot))
        crash_point("supervisor.leftover_written")
    book.sync_soon()
    return waiting


def _back(entry: Entry, spool: str, boot: str, machine: Machine) -> Record:
    """Return the end of an attempt that restarted the machine, once what it hands on is on the disk."""
    result, outputs = restarted(entry, boot, machine.clock.wall())
    text = "".join(f"{key}={value}\n" for key, value in outputs.items()).encode()
    written = _handed_on(f"{spool}/{entry.attempt}.out", text, machine.disk)
    return {"attempt": entry.attempt, "kind": "exit", "exit": {**result, "output": written}, "end": entry.end}


def _handed_on(path: str, data: bytes, disk: Disk) -> int:
    """Write what an attempt hands on and return its length; 0 on a full disk: the machine is back all the same."""
    try:
        fd = disk.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        try:
            disk.write(fd, data)
            disk.fdatasync(fd)
            crash_point("supervisor.return_synced")
        finally:
            disk.close(fd)
    except OSError:
        with contextlib.suppress(OSError):
            disk.unlink(path)
        crash_point("supervisor.return_given_up")
        return 0
    return len(data)


def _end_of(entry: Entry, boot: str) -> Record:
    record: Record = {"attempt": entry.attempt, "end": entry.end}
    if entry.reaped is not None:
        return record | {"kind": "exit", "exit": entry.reaped}
    return record | {"kind": "unknown", "exit": _unknown(_why(entry, boot))}


def _why(entry: Entry, boot: str) -> str:
    if entry.damaged:
        return "journal_damaged"
    return "supervisor_died" if entry.boot == boot else "rebooted"


def _unknown(error: str) -> dict[str, Any]:
    return {"state": "unknown", "error": error}
