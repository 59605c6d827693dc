"""The commands that run: their pipes, their deadlines, their children, their end."""

from __future__ import annotations

import base64
from collections.abc import Callable
from typing import Any

from plumber_core.crash import crash_point
from plumber_core.protocol.frames import MAX_FRAME, STDERR, STDOUT
from plumber_core.runner.attempt import ENDS, FOREVER, KILL_AGAIN, RETRY, Running
from plumber_core.runner.hiding import MASKS_VARIABLE, Hiding
from plumber_core.runner.machine import Machine
from plumber_core.runner.proctree import MARKER
from plumber_core.runner.reactor import Reactor
from plumber_core.runner.spares import Spares
from plumber_core.runner.spool import LogFile
from plumber_core.runner.wire import SPOOL_NAME

_SMALL_PIPE, _LARGE_PIPE = 64 * 1024, MAX_FRAME
_READS = 8
"""Reads of one pipe in a row before others get their turn."""
_LAST_READS = 64
_LAST_ROOM = 4 * 1024 * 1024
"""Let into a full spool once the command ended: more than its pipes can hold."""


class Custody:
    """Owns every running command.

    Args:
        folder: the agent's state folder; logs and outputs lie in its spool.
        machine: its clock, disk and processes.
        on_output: told that a log has grown.
        on_reaped: told that a command ended whose output is not drained yet.
        on_end: told the end, after the last byte of the log was written.
    """

    def __init__(
        self,
        reactor: Reactor,
        folder: str,
        machine: Machine,
        on_output: Callable[[Running], None],
        on_reaped: Callable[[Running], None],
        on_end: Callable[[Running, dict[str, Any]], None],
    ) -> None:
        self.live: dict[str, Running] = {}
        self._by_pid: dict[int, Running] = {}
        self._adopted: dict[int, str] = {}
        self._reactor, self._spool = reactor, f"{folder}/{SPOOL_NAME}"
        self._on_output, self._on_reaped, self._on_end = on_output, on_reaped, on_end
        self._clock, self._disk, self._processes = machine
        self.spares = Spares(folder, self._disk)
        self._buffer = bytearray(MAX_FRAME)
        self._view = memoryview(self._buffer)

    def prepare(self, attempt: str, command: dict[str, Any], cap: int) -> Running:
        """Make the files of an attempt; nothing runs yet.

        Raises:
            OSError: they cannot be made.
        """
        log, output = f"{self._spool}/{attempt}.log", self._output(attempt)
        self.spares.take(output)
        command["env"].update({MARKER: attempt, "PLUMBER_OUTPUT": output})
        if command.get("masked"):
            command["env"][MASKS_VARIABLE] = "3"
        return Running(attempt, command, LogFile(log, cap, self._disk, self.spares.take))

    def start(self, run: Running, command: dict[str, Any]) -> None:
        """Start a prepared command.

        Raises:
            CannotStart: nothing was executed.
            OSError: no descriptors or memory left; nothing was executed.
        """
        stdin = base64.b64decode(command["stdin"]) if command.get("stdin") else None
        started, oom_kills = self._clock.boottime(), self._processes.oom_kills()
        given = command["argv"], command["env"], command.get("path"), stdin
        if command.get("masked"):
            pid, out, err, told = self._processes.start_masked(*given)
            run.hiding = Hiding(told, self._disk)
        else:
            pid, out, err = self._processes.start(*given)
        run.pipes = {out: STDOUT, err: STDERR}
        run.begin(pid, started, oom_kills)
        self.live[run.attempt] = self._by_pid[pid] = run
        if run.hiding is not None:
            self._reactor.add(run.hiding.fd, lambda: self._learn(run))
            return
        for fd in run.pipes:
            self._listen(run, fd)

    def _learn(self, run: Running, *, at_last: bool = False) -> None:
        """Hear what has to be hidden; only when all of that is known is any output read."""
        hiding = run.hiding
        if hiding is None or hiding.masks is not None or not (hiding.hear(self._processes, self._buffer) or at_last):
            return
        self._reactor.remove(hiding.fd)
        self._processes.close(hiding.fd)
        hiding.settle()
        for fd in run.pipes if not run.stalled else ():
            self._listen(run, fd)

    def identify(self, run: Running) -> None:
        """Learn which process of its number a command is, while it lives: a number is given to others later."""
        if run.status is None and not run.ticks:
            run.ticks = self._processes.ticks(run.pid)

    def settle_in(self, run: Running) -> None:
        """Make one that goes on for a while known and easy to end as a whole."""
        self.identify(run)
        self._processes.gather(run.attempt, run.pid)

    def abandon(self, run: Running) -> None:
        """Close what ``prepare`` and a failed ``start`` opened."""
        for fd in run.pipes:
            self._reactor.remove(fd)
            self._processes.close(fd)
        run.pipes = {}
        if run.hiding is not None and run.hiding.masks is None:
            self._reactor.remove(run.hiding.fd)
            self._processes.close(run.hiding.fd)
            run.hiding = None
        run.log.close()

    def _listen(self, run: Running, fd: int) -> None:
        self._reactor.add(fd, lambda: self._readable(run, fd))

    def _readable(self, run: Running, fd: int) -> None:
        self._read(run, fd, _READS)
        if run.status is not None:
            self._settle(run)

    def _read(self, run: Running, fd: int, reads: int) -> None:
        if run.hiding is not None and run.hiding.masks is None:
            return None
        buffer = self._buffer if run.hiding is None else run.hiding.buffer
        for _ in range(reads):
            if run.log.full:
                return self._stall(run)
            try:
                count = self._processes.read(fd, buffer)
            except BlockingIOError:
                return None
            if count == 0:
                return self._close_pipe(run, fd)
            self._store(run, fd, count)
            if count < _SMALL_PIPE and run.status is None:
                return None
        return None

    def _store(self, run: Running, fd: int, count: int) -> None:
        run.last_output = now = self._clock.boottime()
        run.owed -= count
        shown = self._view[:count] if run.hiding is None else run.hiding.shown(run.pipes[fd], count)
        if shown:
            run.log.append(run.pipes[fd], int((now - run.started) * 1000), shown)
        if count == _SMALL_PIPE:
            self._processes.widen(fd, _LARGE_PIPE)
        self._on_output(run)

    def _close_pipe(self, run: Running, fd: int) -> None:
        self._reactor.remove(fd)
        self._show_rest(run, run.pipes.pop(fd))
        self._processes.close(fd)

    def _show_rest(self, run: Running, stream: int) -> None:
        """Write what was held back of a stream that has ended."""
        if run.hiding is not None and (rest := run.hiding.rest(stream)):
            run.log.append(stream, int((self._clock.boottime() - run.started) * 1000), rest)

    def _stall(self, run: Running) -> None:
        """Read no more: the pipe fills up, and the command waits."""
        if run.stalled:
            return  # the next try keeps its time, however often somebody looks until then
        run.stalled = True
        for fd in run.pipes:
            self._reactor.remove(fd)
        run.retry_at = self._clock.boottime() + RETRY if run.log.blocked else FOREVER

    def _resume(self, run: Running) -> None:
        if not run.stalled:
            return
        if not run.log.flush() or run.log.full:
            run.retry_at = self._clock.boottime() + RETRY if run.log.blocked else FOREVER
            return
        run.stalled, run.retry_at, run.last_output = False, FOREVER, self._clock.boottime()
        for fd in run.pipes:
            self._listen(run, fd)
        self._on_output(run)

    def acknowledged(self, attempt: str, end: int, at_once: bool) -> int:
        """Note how much of a log the server has; return up to where its disk may be given back, or 0."""
        run = self.live.get(attempt)
        if run is None:
            return 0
        freed = run.log.acknowledge(end, at_once)
        self._resume(run)
        return freed

    def renewed(self, at: float) -> None:
        """Note when the newest renewal that the control plane has recorded was sent."""
        for run in self.live.values():
            run.was_renewed(at)

    def cancel(self, run: Running, grace: float | None, kill: bool) -> None:
        """Have a command end: TERM, grace, KILL; at once with ``kill``. Said again it changes the moment only."""
        now = self._clock.boottime()
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
            self._processes.terminate(run.pid)
        self._kill_if_due(run, now)

    def _kill_if_due(self, run: Running, now: float) -> None:
        if now >= run.kill_at:
            run.kill_at = now + KILL_AGAIN
            self.identify(run)
            self._processes.kill_tree(run.attempt, run.pid, run.ticks)

    @property
    def starved(self) -> bool:
        """Whether the disk refuses a command's output."""
        return any(run.log.blocked for run in self.live.values())

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
                self._tell_to_end(run, ENDS[why], why, run.patience(why, now), now)

    def reap(self) -> None:
        """Collect every ended child: commands, and orphans that the kernel gave us."""
        while (ended := self._processes.reap()) is not None:
            pid, status = ended
            self._adopted.pop(pid, None)
            run = self._by_pid.pop(pid, None)
            if run is not None:
                self._reaped(run, status)

    def _reaped(self, run: Running, status: int) -> None:
        crash_point("supervisor.reaped")
        run.reaped(status, self._clock.boottime(), sum(map(self._processes.waiting, run.pipes)))
        if run.killed_by_another:
            run.oom = self._processes.oom_kills() > run.oom_kills
        run.log.cap += _LAST_ROOM
        self._learn(run, at_last=True)
        run.output = self.spares.written(self._output(run.attempt))
        self._resume(run)
        self._settle(run)
        if run.attempt in self.live:
            self._on_reaped(run)

    def _settle(self, run: Running) -> None:
        for fd in list(run.pipes):
            self._read(run, fd, _LAST_READS)
        if run.drained(self._clock.boottime()):
            self._finish(run)

    def _finish(self, run: Running) -> None:
        left = self._left_any(run)
        orphans = self._leave_behind(run) if left else 0
        for stream in run.pipes.values():
            self._show_rest(run, stream)
        if run.hiding is not None:
            run.hiding.cleanse(self._output(run.attempt))
        if not run.drained(FOREVER):
            return
        del self.live[run.attempt]
        self.abandon(run)
        run.output = self.spares.written(self._output(run.attempt))
        if not left:
            self.spares.reclaim(self._output(run.attempt))
        self._processes.release(run.attempt)
        self._on_end(run, run.result(orphans))

    def _output(self, attempt: str) -> str:
        return f"{self._spool}/{attempt}.out"

    def _leave_behind(self, run: Running) -> int:
        """Return how many processes stay; those of a command that was told to end do not."""
        if run.ending is None and not run.end_survivors:
            return self._processes.count(run.attempt, run.pid, run.ticks)
        self._processes.kill_tree(run.attempt, run.pid, run.ticks)
        for fd in list(run.pipes):
            self._read(run, fd, _LAST_READS)
        return 0

    def _left_any(self, run: Running) -> bool:
        children = self._processes.own_children()
        if children is None or self._processes.any_grouped(run.attempt):
            return True
        for pid in children - self._by_pid.keys() - self._adopted.keys():
            self._adopted[pid] = self._processes.attempt_of(pid) or self._session_of(pid)
        return any(self._adopted[pid] == run.attempt for pid in children - self._by_pid.keys())

    def _session_of(self, pid: int) -> str:
        session = self._processes.session(pid)
        return next((run.attempt for run in self.live.values() if run.pid == session), "")
