"""A cgroup for each attempt that goes on for a while, where the kernel lets us: one write kills all that is in it, also
what is another user's.

Groups stand below the one that the supervisor itself is in, which is ours under systemd with ``Delegate=yes``. The
kernel takes up to 10 ms to move a process, and whoever asks for it has to wait: a thread of its own does that, once a
command has run for so long that it does not matter. What was born before and has left its parent is found by its mark.
"""

# The supervisor does not load pathlib: memory.
# ruff: noqa: PTH102, PTH106, PTH110, PTH123
from __future__ import annotations

import _thread
import contextlib
import os

from plumber_core.runner.proctree import children_of

PREFIX = "plumber-"
_PROCS, _KILL = "cgroup.procs", "cgroup.kill"


class Cgroups:
    """The groups of one supervisor's attempts; does nothing where there can be none."""

    def __init__(self, home: str | None = None) -> None:
        self._home = own_group("") if home is None else home
        self._usable = bool(self._home) and os.access(f"{self._home}/{_PROCS}", os.W_OK)
        self._gathering: set[str] = set()

    @property
    def usable(self) -> bool:
        """Whether attempts get groups here."""
        return self._usable

    def gather(self, attempt: str, pid: int) -> None:
        """Have a process and its descendants moved into the attempt's group, beside the caller."""
        if self._usable:
            self._gathering.add(attempt)
            _thread.start_new_thread(self._move, (attempt, pid))

    def _move(self, attempt: str, pid: int) -> None:
        group, waiting = self._group(attempt), [pid]
        with contextlib.suppress(OSError):
            os.mkdir(group, 0o755)
        # A child of one that was moved is born in the group, so children are looked up after that.
        while waiting:
            next_one = waiting.pop()
            if self._tell(group, _PROCS, str(next_one)):
                with contextlib.suppress(OSError):
                    waiting += children_of(next_one)
        self._gathering.discard(attempt)

    def members(self, attempt: str) -> set[int]:
        """Return the processes in an attempt's group, never this one."""
        try:
            with open(f"{self._group(attempt)}/{_PROCS}", encoding="ascii") as file:
                return {int(line) for line in file} - {os.getpid()}
        except OSError:
            return set()

    def kill(self, attempt: str) -> bool:
        """Kill all that is in an attempt's group; say whether that was done, which leaves nobody time to fork."""
        group = self._group(attempt)
        if not self._usable or not os.path.exists(f"{group}/{_KILL}") or self._is_inside(group):
            return False
        return self._tell(group, _KILL, "1")

    def _is_inside(self, group: str) -> bool:
        """Whether we failed to leave it: then it must not be killed."""
        try:
            with open(f"{group}/{_PROCS}", encoding="ascii") as file:
                return str(os.getpid()) in file.read().split()
        except OSError:
            return False

    def remove(self, attempt: str) -> bool:
        """Remove an attempt's group; False while somebody is in it, or about to be."""
        if attempt in self._gathering:
            return False
        try:
            os.rmdir(self._group(attempt))
        except FileNotFoundError:
            return True
        except OSError:
            return False
        return True

    def _group(self, attempt: str) -> str:
        return f"{self._home}/{PREFIX}{attempt}"

    def _tell(self, group: str, name: str, text: str) -> bool:
        try:
            fd = os.open(f"{group}/{name}", os.O_WRONLY | os.O_CLOEXEC)
        except OSError:
            return False
        try:
            os.write(fd, text.encode())
        except OSError:
            return False
        else:
            return True
        finally:
            os.close(fd)


def own_group(controller: str) -> str:
    """Return the folder of the cgroup that this process is in, or an empty string when there is none to be seen.

    Args:
        controller: one of the old hierarchies, by its controller; empty for the unified one.
    """
    with contextlib.suppress(OSError, ValueError):
        for line in _lines("/proc/self/cgroup"):
            _, names, place = line.split(":", 2)
            if (controller in names.split(",")) if controller else not names:
                return _seen(place, controller)
    return ""


def _seen(place: str, controller: str) -> str:
    """Return where a group stands in this process' file system: a container sees only a part of the hierarchy."""
    for line in _lines("/proc/self/mountinfo"):
        before, _, after = line.partition(" - ")
        root, mounted = before.split()[3:5]
        kind, _, options = after.split(" ", 2)
        fits = kind == "cgroup2" if not controller else kind == "cgroup" and controller in options.split(",")
        if fits and f"{place}/".startswith(f"{root.rstrip('/')}/"):
            return f"{mounted}/{place[len(root.rstrip('/')) :].strip('/')}".rstrip("/")
    return ""


def _lines(path: str) -> list[str]:
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()
