"""Which processes belong to an attempt, and their end.

A process belongs to an attempt when it carries its mark, or its marker in the environment, is in the session of the
attempt's main process, or descends from such a one. The supervisor is a subreaper: whoever loses its parent becomes
its child, so one look at its own children tells whether anything was left behind.
"""

# The supervisor does not load pathlib: memory.
# ruff: noqa: PTH208
from __future__ import annotations

import contextlib
import os
import signal
from typing import NamedTuple

from plumber_core.runner.marks import mark_of, mark_on

MARKER = "PLUMBER_ATTEMPT"
_AT_ONCE = 16 * 1024
_ROUNDS = 100
"""A fork bomb makes new processes while we kill; it lost every race of this many rounds."""


class Process(NamedTuple):
    """What ``/proc`` says of one process; ``ticks`` is its start, so (pid, ticks) never names another one."""

    pid: int
    parent: int
    session: int
    ticks: int
    dead: bool


def _read(path: str) -> bytes:
    """Return a file of the kernel's; a file object would ask four times as much of it."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = piece = os.read(fd, _AT_ONCE)
        while piece:
            piece = os.read(fd, _AT_ONCE)
            data += piece
        return data
    finally:
        os.close(fd)


def look(pid: int) -> Process | None:
    """Return a process, or None when there is none."""
    try:
        text = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    fields = text[text.rindex(b")") + 2 :].split()
    return Process(pid, int(fields[1]), int(fields[3]), int(fields[19]), fields[0] in (b"Z", b"X"))


def everybody() -> dict[int, Process]:
    """Return all living processes except this one and the first."""
    spared = (1, os.getpid())
    found = (look(int(name)) for name in os.listdir("/proc") if name.isdigit() and int(name) not in spared)
    return {process.pid: process for process in found if process and not process.dead}


def marker_of(pid: int) -> str:
    """Return the attempt that a process' environment names, or an empty string."""
    try:
        data = b"\0" + _read(f"/proc/{pid}/environ")
    except OSError:
        return ""
    _, found, rest = data.partition(f"\0{MARKER}=".encode())
    return rest.partition(b"\0")[0].decode("utf-8", "replace") if found else ""


def own_children() -> set[int] | None:
    """Return this process' children, dead ones included, or None where the kernel does not tell."""
    try:
        return children_of(os.getpid())
    except OSError:
        return None


def children_of(pid: int) -> set[int]:
    """Return the children that a process' first thread has made or was given.

    Raises:
        OSError: there is no such process, or the kernel does not tell.
    """
    return {int(child) for child in _read(f"/proc/{pid}/task/{pid}/children").split()}


def tree(attempt: str, leader: int, ticks: int) -> dict[int, Process]:
    """Return the living processes of an attempt.

    Args:
        attempt: what their marks and their environment say.
        leader: its main process, which may be gone; 0 if it was never known.
        ticks: when that was started; a process of the same number and another start is a stranger.
    """
    alive = everybody()
    current = alive.get(leader)
    led = leader > 1 and (current is None or current.ticks == ticks)
    mark = mark_of(attempt)
    members = {
        process.pid
        for process in alive.values()
        if process.ticks >= ticks
        and ((led and process.session == leader) or mark_on(process.pid) == mark or marker_of(process.pid) == attempt)
    }
    _add_descendants(members, alive)
    return {pid: alive[pid] for pid in members}


def _add_descendants(members: set[int], alive: dict[int, Process]) -> None:
    grown = True
    while grown:
        more = {p.pid for p in alive.values() if p.parent in members and p.pid not in members}
        members |= more
        grown = bool(more)


def kill_tree(attempt: str, leader: int, ticks: int) -> None:
    """Kill every process of an attempt, also those that are born meanwhile."""
    killed: set[tuple[int, int]] = set()
    for _ in range(_ROUNDS):
        fresh = [p for p in tree(attempt, leader, ticks).values() if (p.pid, p.ticks) not in killed]
        if not fresh:
            return
        for process in fresh:
            _kill(process)
            killed.add((process.pid, process.ticks))


def _kill(process: Process) -> None:
    try:
        handle = os.pidfd_open(process.pid)
    except OSError:
        return
    now = look(process.pid)
    if now is not None and now.ticks == process.ticks:
        with contextlib.suppress(OSError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)
    os.close(handle)


def signal_group(leader: int, number: int) -> None:
    """Send a signal to the process group of a main process that is not reaped yet."""
    with contextlib.suppress(OSError):
        os.killpg(leader, number)
