"""The commands that run: their pipes, their deadlines, their children, their end."""

from __future__ import annotations

import base64
import contextlib
import fcntl
import os
import signal
import struct
from collections.abc import Callable
from typing import Any

from plumber_core.protocol.frames import MAX_FRAME, STDERR, STDOUT
from plumber_core.runner import proctree
from plumber_core.runner.attempt import FOREVER, KILL_AGAIN, RETRY, Running
from plumber_core.runner.clock import boottime
from plumber_core.runner.crash import crash_point
from plumber_core.runner.process import OomShield, input_file, spawn
from plumber_core.runner.reactor import Reactor
from plumber_core.runner.spool import LogFile

_SMALL_PIPE, _LARGE_PIPE = 64 * 1024, MAX_FRAME
_READS = 8
"""Reads of one pipe in a row before others get their turn."""
_LAST_READS = 64
_LAST_ROOM = 4 * 1024 * 1024
"""Let into a full spool once the command ended: more than its pipes can hold."""
_FIONREAD = 0x541B
_buffer = bytearray(MAX_FRAME)
_view = memoryview(_buffer)


class Custody:
    """Owns every running command.

    Args:
        spool: the folder of logs and outputs.
        on_output: told that a log has grown.
        on_reaped: told that a command ended whose output is not drained yet.
        on_end: told the end, after the last byte of the log was written.
    """

    def __init__(
        self,
        reactor: Reactor,
        spool: str,
        on_output: Callable[[Running], None],
        on_reaped: Callable[[Running], None],
        on_end: Callable[[Running, dict[str, Any]], None],
    ) -> None:
        self.live: dict[str, Running] = {}
        self._by_pid: dict[int, Running] = {}
        self._adopted: dict[int, str] = {}
        self._reactor, self._spool = reactor, spool
        self._on_output, self._on_reaped, self._on_end = on_output, on_reaped, on_end
        self._shield = OomShield()

    def prepare(self, attempt: str, command: dict[str, Any], cap: int) -> Running:
        """Make the files of an attempt; nothing runs yet.

        Raises:
            OSError: they cannot be made.
        """
        output = f"{self._spool}/{attempt}.out"
        os.close(os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        command["env"].update({proctree.MARKER: attempt, "PLUMBER_OUTPUT": output})
        return Running(attempt, command, LogFile(f"{self._spool}/{attempt}.log", cap))

    def start(self, run: Running, command: dict[str, Any]) -> None:
        """Start a prepared command.

        Raises:
            CannotStart: nothing was executed.
            OSError: no descriptors or memory left; nothing was executed.
        """
        with contextlib.ExitStack() as ours:
            data = base64.b64decode(command["stdin"]) if command.get("stdin") else None
            stdin = _closing(ours, input_file(data))
            out, err = (_closing(ours, _open_pipe(run, stream)) for stream in (STDOUT, STDERR))
            started = boottime()
            stdio = (stdin, out, err)
            pid = spawn(command["argv"], command["env"], command.get("path"), stdio, self._shield)
        run.begin(pid, started)
        self.live[run.attempt] = self._by_pid[pid] = run
        for fd in run.pipes:
            os.set_blocking(fd, False)
            self._listen(run, fd)

    def abandon(self, run: Running) -> None:
        """Close what ``prepare`` and a failed ``start`` opened."""
        for fd in run.pipes:
            self._reactor.remove(fd)
            os.close(fd)
        run.pipes = {}
        run.log.close()

    def _listen(self, run: Running, fd: int) -> None:
        self._reactor.add(fd, lambda: self._readable(run, fd))

    def _readable(self, run: Running, fd: int) -> None:
        self._read(run, fd, _READS)
        if run.status is not None:
            self._settle(run)

    def _read(self, run: Running, fd: int, reads: int) -> None:
        for _ in range(reads):
            if run.log.full:
                return self._stall(run)
            try:
                count = os.readv(fd, (_buffer,))
            except BlockingIOError:
                return None
            if count == 0:
                return self._close_pipe(run, fd)
            self._store(run, fd, count)
            if count < _SMALL_PIPE and run.status is None:
                return None
        return None

    def _store(self, run: Running, fd: int, count: int) -> None:
        run.last_output = now = boottime()
        run.owed -= count
        run.log.append(run.pipes[fd], int((now - run.started) * 1000), _view[:count])
        if count == _SMALL_PIPE:
            with contextlib.suppress(OSError):
                fcntl.fcntl(fd, fcntl.F_SETPIPE_SZ, _LARGE_PIPE)
        self._on_output(run)

    def _close_pipe(self, run: Running, fd: int) -> None:
        self._reactor.remove(fd)
        del run.pipes[fd]
        os.close(fd)

    def _stall(self, run: Running) -> None:
        """Read no more: the pipe fills up, and the command waits."""
        run.stalled = True
        for fd in run.pipes:
            self._reactor.remove(fd)
        run.retry_at = boottime() + RETRY if run.log.blocked else FOREVER

    def _resume(self, run: Running) -> None:
        if not run.stalled:
            return
        if not run.log.flush() or run.log.full:
            run.retry_at = boottime() + RETRY if run.log.blocked else FOREVER
            return
        run.stalled, run.retry_at, run.last_output = False, FOREVER, boottime()
        for fd in run.pipes:
            self._listen(run, fd)
        self._on_output(run)

    def acknowledged(self, attempt: str, end: int) -> int:
        """Note how much of a log the server has; return up to where its disk may be given back, or 0."""
        run = self.live.get(attempt)
        if run is None:
            return 0
        freed = run.log.acknowledge(end)
        self._resume(run)
        return freed

    def cancel(self, run: Running, grace: float | None, kill: bool) -> None:
        """Have a command end: TERM, grace, KILL; at once with ``kill``. Said again it changes the moment only."""
        now = boottime()
        if run.status is not None:
            run.end_survivors, run.drain_until = True, now
            return self._settle(run)
        self._tell_to_end(run, "cancelled", None, 0.0 if kill else grace, now)
        return None

    def _tell_to_end(self, run: Running, state: str, error: str | None, grace: float | None, now: float) -> None:
        first = run.ending is None
        run.tell_to_end(state, error, now + (run.grace if grace is None else grace))
        if first and now < run.kill_at:
            # Without a grace period nothing is asked: it might answer between this and the KILL.
            proctree.signal_group(run.pid, signal.SIGTERM)
            proctree.signal_group(run.pid, signal.SIGCONT)
        self._kill_if_due(run, now)

    def _kill_if_due(self, run: Running, now: float) -> None:
        if now >= run.kill_at:
            run.kill_at = now + KILL_AGAIN
            proctree.kill_tree(run.attempt, run.pid, run.ticks)

    def deadline(self, now: float) -> float:
        """Return when ``tick`` wants to be called."""
        return min((run.deadline(now) for run in self.live.values()), default=FOREVER)

    def tick(self, now: float) -> None:
        """Enforce every deadline that has passed."""
        for run in list(self.live.values()):
            if now >= run.retry_at:
                self._resume(run)
            if run.status is not None:
                if now >= run.drain_until or not run.pipes:
                    self._settle(run)
            elif run.ending is not None:
                self._kill_if_due(run, now)
            elif (why := run.overdue(now)) is not None:
                self._tell_to_end(run, "timed_out", why, None, now)

    def reap(self) -> None:
        """Collect every ended child: commands, and orphans that the kernel gave us."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            self._adopted.pop(pid, None)
            run = self._by_pid.pop(pid, None)
            if run is not None:
                self._reaped(run, status)

    def _reaped(self, run: Running, status: int) -> None:
        crash_point("supervisor.reaped")
        run.reaped(status, boottime(), sum(map(_waiting, run.pipes)))
        run.log.cap += _LAST_ROOM
        self._resume(run)
        self._settle(run)
        if run.attempt in self.live:
            self._on_reaped(run)

    def _settle(self, run: Running) -> None:
        for fd in list(run.pipes):
            self._read(run, fd, _LAST_READS)
        if run.drained(boottime()):
            self._finish(run)

    def _finish(self, run: Running) -> None:
        orphans = self._leave_behind(run)
        if not run.drained(FOREVER):
            return
        del self.live[run.attempt]
        self.abandon(run)
        self._on_end(run, run.result(orphans))

    def _leave_behind(self, run: Running) -> int:
        """Return how many processes stay; those of a command that was told to end do not."""
        if not self._left_any(run):
            return 0
        if run.ending is None and not run.end_survivors:
            return len(proctree.tree(run.attempt, run.pid, run.ticks))
        proctree.kill_tree(run.attempt, run.pid, run.ticks)
        for fd in list(run.pipes):
            self._read(run, fd, _LAST_READS)
        return 0

    def _left_any(self, run: Running) -> bool:
        children = proctree.own_children()
        if children is None:
            return True
        for pid in children - self._by_pid.keys() - self._adopted.keys():
            self._adopted[pid] = proctree.marker_of(pid) or self._session_of(pid)
        return any(self._adopted[pid] == run.attempt for pid in children - self._by_pid.keys())

    def _session_of(self, pid: int) -> str:
        process = proctree.look(pid)
        session = process.session if process else 0
        return next((run.attempt for run in self.live.values() if run.pid == session), "")


def _closing(stack: contextlib.ExitStack, fd: int) -> int:
    stack.callback(os.close, fd)
    return fd


def _open_pipe(run: Running, stream: int) -> int:
    reading, writing = os.pipe2(os.O_CLOEXEC)
    run.pipes[reading] = stream
    return writing


def _waiting(fd: int) -> int:
    count = fcntl.ioctl(fd, _FIONREAD, struct.pack("i", 0))
    return int(struct.unpack("i", count)[0])
