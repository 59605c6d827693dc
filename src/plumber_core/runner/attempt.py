"""One running command as the supervisor sees it: its deadlines, and what its end means. No I/O, no clock."""

from __future__ import annotations

import os
from typing import Any

from plumber_core.runner.hiding import Hiding
from plumber_core.runner.spool import LogFile

DRAIN = 2.0
"""Seconds for which output is still read after the main process ended, when others hold its pipes."""
RETRY = 0.25
"""Seconds between tries to write what the disk refused."""
KILL_AGAIN = 1.0
STOP_GRACE = 3.0
"""Seconds at most between TERM and KILL of ``stop_after``: the control plane waits 5 beyond it."""
ENDS = {"timeout": "timed_out", "idle_timeout": "timed_out", "stop_after": "unknown"}
"""What has passed, which is the end's error too -> the end's state. Cut off from the control plane a command ends, as
far as that is concerned, as a lost one does, except that it is proven."""
FOREVER = float("inf")
SIGKILL = 9


class Running:
    """A command between its start and its recorded end. Times are CLOCK_BOOTTIME seconds.

    ``ending`` is set once it was told to end: ``cancelled`` or ``timed_out``. ``status`` is the wait status of the
    main process once reaped; then ``owed`` counts the bytes that lay in its pipes at that moment.
    """

    def __init__(self, attempt: str, command: dict[str, Any], log: LogFile) -> None:
        self.attempt = attempt
        self.log = log
        self.timeout: float | None = command.get("timeout")
        self.idle_timeout: float | None = command.get("idle_timeout")
        self.grace: float = command.get("grace", 10.0)
        self.pipes: dict[int, int] = {}
        self.pid = self.ticks = 0
        self.started = self.last_output = self.ended = 0.0
        self.ending: str | None = None
        self.error: str | None = None
        self.detail = ""
        self.kill_at = self.retry_at = FOREVER
        self.status: int | None = None
        self.drain_until = FOREVER
        self.owed = 0
        self.stalled = False
        self.end_survivors = False
        self.oom = False
        self.oom_kills = 0
        self.output = 0
        self.stop_after: float | None = command.get("stop_after")
        self.renewed: float = command.get("renewed", 0.0)
        self.hiding: Hiding | None = None

    def begin(self, pid: int, started: float, oom_kills: int = 0) -> None:
        """Note that the command runs; ``oom_kills`` is what the kernel had counted before."""
        self.pid, self.started, self.last_output, self.oom_kills = pid, started, started, oom_kills
        self.renewed = self.renewed or started

    def was_renewed(self, at: float) -> None:
        """Note when the newest renewal that the control plane has recorded was sent."""
        self.renewed = max(self.renewed, at)

    def overdue(self, now: float) -> str | None:
        """Return the timeout that has passed, if any; silence is not counted while nobody reads."""
        if self.timeout is not None and now >= self.started + self.timeout:
            return "timeout"
        if self.idle_timeout is not None and not self.stalled and now >= self.last_output + self.idle_timeout:
            return "idle_timeout"
        if self.stop_after is not None and now >= self.renewed + self.stop_after:
            return "stop_after"
        return None

    def patience(self, why: str, now: float) -> float | None:
        """Return the seconds from TERM to KILL where they are not the command's own.

        The control plane counts on the end: what is late already, because this process stood still, has none left.
        """
        if why != "stop_after" or self.stop_after is None:
            return None
        return max(0.0, self.renewed + self.stop_after + min(self.grace, STOP_GRACE) - now)

    def deadline(self, now: float) -> float:
        """Return when the next decision is due."""
        if self.status is not None:
            return min(self.retry_at, self.drain_until if self.drain_until > now else FOREVER)
        if self.ending is not None:
            return min(self.retry_at, self.kill_at)
        moments = [self.retry_at]
        if self.timeout is not None:
            moments.append(self.started + self.timeout)
        if self.idle_timeout is not None and not self.stalled:
            moments.append(self.last_output + self.idle_timeout)
        if self.stop_after is not None:
            moments.append(self.renewed + self.stop_after)
        return min(moments)

    def tell_to_end(self, state: str, error: str | None, kill_at: float) -> None:
        """Note that the command was told to end; the first reason stays."""
        if self.ending is None:
            self.ending, self.error = state, error
            limits = {"timeout": self.timeout, "idle_timeout": self.idle_timeout, "stop_after": self.stop_after}
            limit = limits.get(error or "")
            self.detail = f"{limit:g} s" if limit is not None else ""
        self.kill_at = min(self.kill_at, kill_at)

    def reaped(self, status: int, now: float, owed: int) -> None:
        """Note that the main process has ended."""
        self.status, self.ended, self.owed = status, now, owed
        self.drain_until = now + DRAIN
        self.kill_at = FOREVER

    @property
    def killed_by_another(self) -> bool:
        """Whether it, or what its shell waited for, was killed, and not by us."""
        if self.status is None or self.ending is not None:
            return False
        return os.waitstatus_to_exitcode(self.status) in (-SIGKILL, 128 + SIGKILL)

    def drained(self, now: float) -> bool:
        """Say whether all output that is waited for is in the file."""
        if self.log.blocked:
            return False
        return not self.pipes or (now >= self.drain_until and self.owed <= 0)

    def result(self, orphans: int = 0) -> dict[str, Any]:
        """Return the fields of ``ExitInfo``."""
        code = os.waitstatus_to_exitcode(self.status or 0)
        handed = {"output": self.output} if self.output else {}
        return handed | {
            "state": self.ending or ("succeeded" if code == 0 else "failed"),
            "exit_code": code if code >= 0 else None,
            "signal": -code if code < 0 else None,
            "error": self.error,
            "detail": self.detail,
            "duration": round(self.ended - self.started, 6),
            "orphans": orphans,
            "oom": self.oom,
        }
