"""Processes and their pipes as the supervisor's core uses them; the simulator's machines have their own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import struct
from collections.abc import Callable

from plumber_core.runner import proctree
from plumber_core.runner.cgroups import Cgroups
from plumber_core.runner.marks import mark_of, mark_on
from plumber_core.runner.oom import OomKills
from plumber_core.runner.process import OomShield, input_file, spawn
from plumber_core.runner.reactor import Reactor

_FIONREAD = 0x541B


class Processes:
    """The machine under one supervisor."""

    def __init__(self) -> None:
        self._shield = OomShield()
        self._nothing = input_file(None)
        self._groups = Cgroups()
        self._oom = OomKills()
        self._left_over: set[str] = set()
        self._marked: dict[int, str] = {}

    def reactor(self, on_children: Callable[[], None]) -> Reactor:
        """Return what waits for descriptors and ended children; see ``Reactor``."""
        return Reactor(on_children)

    def start(
        self, argv: list[str], env: dict[str, str], path: str | None, stdin: bytes | None
    ) -> tuple[int, int, int]:
        """Start a command in a session of its own; return its process id and the pipes of its output and errors.

        Raises:
            CannotStart: nothing was executed.
            OSError: no descriptors or memory left; nothing was executed.
        """
        pid, out, err = self._start(argv, env, path, stdin, 2)
        return pid, out, err

    def start_masked(
        self, argv: list[str], env: dict[str, str], path: str | None, stdin: bytes | None
    ) -> tuple[int, int, int, int]:
        """Start a command as ``start`` does; the last pipe, its descriptor 3, is for what to hide.

        Raises: CannotStart, OSError.
        """
        pid, out, err, told = self._start(argv, env, path, stdin, 3)
        return pid, out, err, told

    def _start(
        self, argv: list[str], env: dict[str, str], path: str | None, stdin: bytes | None, pipes: int
    ) -> tuple[int, ...]:
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as kept:
            given = _closing(ours, input_file(stdin)) if stdin else self._nothing
            made = [_open_pipe(ours, kept) for _ in range(pipes)]
            attempt = env[proctree.MARKER]
            pid = spawn(argv, env, path, (given, *(pipe[1] for pipe in made)), self._shield, mark_of(attempt))
            kept.pop_all()
        self._marked[mark_of(attempt)] = attempt
        return (pid, *(pipe[0] for pipe in made))

    def read(self, fd: int, buffer: bytearray) -> int:
        """Read from a pipe into ``buffer``; 0 is its end.

        Raises:
            BlockingIOError: nothing to read now.
        """
        return os.readv(fd, (buffer,))

    def widen(self, fd: int, size: int) -> None:
        """Let a pipe hold up to ``size`` bytes, if that is allowed."""
        with contextlib.suppress(OSError):
            fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, size)

    def waiting(self, fd: int) -> int:
        """Return how many bytes lie in a pipe."""
        count = fcntl.ioctl(fd, _FIONREAD, struct.pack("i", 0))
        return int(struct.unpack("i", count)[0])

    def close(self, fd: int) -> None:
        """Close a pipe."""
        os.close(fd)

    def reap(self) -> tuple[int, int] | None:
        """Return (process id, wait status) of a child that ended, or None."""
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return None
        return (pid, status) if pid else None

    def ticks(self, pid: int) -> int:
        """Return when a process was started, 0 when there is none."""
        process = proctree.look(pid)
        return process.ticks if process else 0

    def session(self, pid: int) -> int:
        """Return the session of a process, 0 when there is none."""
        process = proctree.look(pid)
        return process.session if process else 0

    def own_children(self) -> set[int] | None:
        """Return this process' children, dead ones included, or None where the kernel does not tell."""
        return proctree.own_children()

    def attempt_of(self, pid: int) -> str:
        """Return the attempt of ours whose mark a process carries or that its environment names, or nothing."""
        return self._marked.get(mark_on(pid)) or proctree.marker_of(pid)

    def gather(self, attempt: str, pid: int) -> None:
        """Have a command that goes on, and what it has started, put into a cgroup of their own, beside the caller."""
        self._groups.gather(attempt, pid)

    def any_grouped(self, attempt: str) -> bool:
        """Say whether somebody is left in an attempt's cgroup, if it has one."""
        return bool(self._groups.members(attempt))

    def oom_kills(self) -> int:
        """Return how many processes around here the kernel has killed for want of memory."""
        return self._oom.count()

    def release(self, attempt: str) -> None:
        """Give back what an attempt that ended has had; who was left running keeps it until he ends."""
        self._marked.pop(mark_of(attempt), None)
        self._left_over.add(attempt)
        self._left_over = {name for name in self._left_over if not self._groups.remove(name)}

    def count(self, attempt: str, leader: int, ticks: int) -> int:
        """Return how many processes of an attempt are alive."""
        return len(self._groups.members(attempt) | proctree.tree(attempt, leader, ticks).keys())

    def kill_tree(self, attempt: str, leader: int, ticks: int) -> None:
        """Kill every process of an attempt, also those that are born meanwhile."""
        self._groups.kill(attempt)
        proctree.kill_tree(attempt, leader, ticks)
        self.release(attempt)

    def terminate(self, leader: int) -> None:
        """Ask the process group of a main process that is not reaped yet to end."""
        proctree.signal_group(leader, signal.SIGTERM)
        proctree.signal_group(leader, signal.SIGCONT)


def _closing(stack: contextlib.ExitStack, fd: int) -> int:
    stack.callback(os.close, fd)
    return fd


def _open_pipe(ours: contextlib.ExitStack, kept: contextlib.ExitStack) -> tuple[int, int]:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    os.set_blocking(reading, False)
    return _closing(kept, reading), _closing(ours, writing)
