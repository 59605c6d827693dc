"""Telling the server of one attempt: its log as it grows, then how it ended, until nothing is left to tell."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from plumber_core.crash import crash_point
from plumber_core.errors import PlumberError, SpoolUnwritable, Unavailable
from plumber_core.model.limits import MAX_REPORT_TAIL
from plumber_core.protocol.frames import HEADER, MAX_CHUNK, MAX_FRAME, whole_length
from plumber_core.protocol.messages import Assignment, LogChunk, Report, Reported
from plumber_core.protocol.peer import Peer
from plumber_core.runner.attempts import Attempts, Tracked
from plumber_core.runner.outcomes import outcome_of
from plumber_core.runner.scope import TaskScope
from plumber_core.runner.supervision import SupervisorClient
from plumber_core.runner.torn import frames_left, sure_length
from plumber_core.runner.world import World

TRIM_STEP = 4 * 1024 * 1024
"""Acknowledged bytes after which the supervisor hears of it."""
log = logging.getLogger("plumber.agent")


class Pace:
    """How much to send at once, from how fast the server answers: heartbeats share the line with the logs."""

    FLOOR, WINDOW = 16 * 1024, 2
    QUICK, SLOW = 0.25, 1.0

    def __init__(self) -> None:
        self.limit = 256 * 1024

    @property
    def window(self) -> int:
        """Bytes of one attempt that may be on their way."""
        return self.limit * self.WINDOW

    def answered(self, seconds: float) -> None:
        """Take in how long one chunk took."""
        if seconds > self.SLOW:
            self.limit = max(self.FLOOR, self.limit // 2)
        elif seconds < self.QUICK:
            self.limit = min(MAX_CHUNK, self.limit * 2)


@dataclass(slots=True)
class Line:
    """What all couriers of one session share. ``next`` takes the assignment that a report was answered with."""

    session: str
    epoch: int
    boot_id: str
    peer: Peer
    supervisor: SupervisorClient
    attempts: Attempts
    scope: TaskScope
    next: Callable[[Assignment], None]
    pace: Pace
    world: World


class Courier:
    """Carries one attempt's news for one session; whoever comes after it starts from what is durable."""

    def __init__(self, line: Line, tracked: Tracked) -> None:
        self._line = line
        self._tracked = tracked
        self._sent = 0
        self._flying = 0
        self._turn = 0
        self._lost = False
        self._asked: tuple[Awaitable[Reported], int] | None = None

    def begin(self) -> None:
        """Send at once the report of an attempt that has ended and printed little: its agent is idle until then."""
        tracked = self._tracked
        open_ = tracked.ended and not tracked.reported and not tracked.settled
        if open_ and tracked.durable == 0 and tracked.log_end <= MAX_REPORT_TAIL:
            if tracked.log_end:
                self._read(0, tracked.log_end)
            self._asked = self._ask()

    async def run(self) -> bool:
        """Work until the server knows everything, then have the spool removed; False when a later courier has to."""
        try:
            await self._work()
        except SpoolUnwritable as error:
            log.error("%s", error)
        except Unavailable:
            raise
        except PlumberError as error:
            # Perhaps the server's fault, and a passing one; the session has other work to go on with.
            log.error("%s: the server does not take what became of it: %s", self._tracked.attempt, error)
        else:
            return True
        return False

    async def _work(self) -> None:
        tracked = self._tracked
        if tracked.durable is None and not tracked.settled:
            await self._learn_end()
        self._sent = tracked.durable or 0
        while not self._finished():
            tracked.changed.clear()
            if tracked.ended and not tracked.reported:
                await self._report()
                continue
            self._send()
            await tracked.changed.wait()
        crash_point("link.told_everything")
        self._line.supervisor.release(tracked.attempt)
        self._line.attempts.drop(tracked.attempt)

    def _finished(self) -> bool:
        tracked = self._tracked
        if tracked.settled:
            return True
        return tracked.reported and (self._lost or (tracked.durable or 0) >= tracked.log_end)

    async def _learn_end(self) -> None:
        """Ask with an empty chunk: the answer is the server's end, whatever was sent."""
        answer = await self._line.peer.append(LogChunk(self._line.session, self._tracked.attempt, 0, b""))
        self._tracked.durable = max(0, answer.end)
        if answer.end < 0:
            self._give_up("the server does not know this log")

    def _send(self) -> None:
        """Send what there is at once; while something is on its way, wait until a full chunk has gathered."""
        pace, tracked = self._line.pace, self._tracked
        while not self._lost and (available := tracked.log_end - self._sent) > 0:
            room = pace.window - self._flying
            if self._flying and (available < pace.limit or room < pace.limit):
                return
            data = self._read(self._sent, min(pace.limit, available))
            if not data:
                # What the server had once taken and lost again: the rest would leave a gap.
                self._give_up(f"bytes from {self._sent} on are gone")
                return
            self._sent += len(data)
            self._flying += len(data)
            self._line.scope.start(self._append(self._sent - len(data), data))

    async def _append(self, offset: int, data: bytes) -> None:
        loop = asyncio.get_running_loop()
        turn, size, started = self._turn, len(data), loop.time()
        sending = self._line.peer.append(LogChunk(self._line.session, self._tracked.attempt, offset, data))
        # The peer alone decides how long the bytes stay in memory.
        del data
        answer = await sending
        crash_point("link.log_answered")
        self._line.pace.answered(loop.time() - started)
        self._flying -= size
        self._acknowledged(answer.end, turn, offset + size)

    def _acknowledged(self, end: int, turn: int, expected: int) -> None:
        tracked = self._tracked
        if end < 0:
            self._give_up("the server does not know this log")
            return
        if turn == self._turn:
            tracked.durable = end
            if end < expected:
                # A gap at the server: everything sent since then is refused too, so only the first answer rewinds.
                self._turn += 1
                self._sent = end
            self._sent = max(self._sent, end)
        else:
            tracked.durable = max(tracked.durable or 0, end)
        if tracked.durable - tracked.trimmed >= TRIM_STEP and tracked.durable < tracked.log_end:
            tracked.trimmed = tracked.durable
            self._line.scope.start(self._line.supervisor.trim(tracked.attempt, tracked.durable))
        tracked.changed.set()

    def _read(self, offset: int, limit: int) -> bytes:
        """Return whole frames from ``offset`` on, about ``limit`` bytes; nothing when they are gone, or may be: the
        machine was started again since, and the disk need not hold what it was told to."""
        read, attempt = self._line.supervisor.read_log, self._tracked.attempt
        doubtful = self._tracked.boot_id not in ("", self._line.boot_id)
        whole = frames_left if doubtful else whole_length
        try:
            data = read(attempt, offset, limit)
            length = whole(data)
            if not length:
                data = read(attempt, offset, MAX_FRAME + HEADER.size)
                length = whole(data)
            if doubtful:
                length = sure_length(data[:length], offset, read(attempt, offset + length, 1))
        except (OSError, ValueError):
            return b""
        data = data if length == len(data) else data[:length]
        self._tracked.digest.feed(offset, data)
        return data

    def _give_up(self, reason: str) -> None:
        log.warning("%s: no more of its log is sent: %s", self._tracked.attempt, reason)
        self._lost = True
        self._tracked.changed.set()

    async def _report(self) -> None:
        tracked = self._tracked
        if tracked.log_end - self._sent > MAX_REPORT_TAIL:
            self._send()
        if tracked.outcome is None:
            await self._read_to_end()
        asking, told = self._asked or self._ask()
        self._asked = None
        answer = await asking
        crash_point("link.report_answered")
        tracked.reported = True
        if answer.next is not None:
            self._line.next(answer.next)
        self._after_report(answer, told)

    def _ask(self) -> tuple[Awaitable[Reported], int]:
        """Send the report; return its answer to come, and where the tail ends that it carries."""
        tracked, line = self._tracked, self._line
        if tracked.outcome is None:
            file = line.supervisor.output_file(tracked.attempt)
            tracked.outcome = outcome_of(tracked, line.boot_id, file, line.world.disk)
        offset, tail = self._tail()
        report = Report(line.session, tracked.attempt, tracked.outcome, line.epoch, offset, tail)
        return line.peer.report(report), offset + len(tail)

    def _after_report(self, answer: Reported, told: int) -> None:
        """Take in the answer; ``told`` is where the tail ended, if there was one."""
        tracked = self._tracked
        if answer.status == "unknown":
            log.warning("%s: the server does not know this attempt", tracked.attempt)
            tracked.settled = True
        tracked.durable = max(tracked.durable or 0, answer.log_end)
        if told and answer.log_end >= told:
            self._sent = answer.log_end

    def _tail(self) -> tuple[int, bytes]:
        """Return what the report itself carries: the unsent rest, when it is short and nothing is on its way."""
        left = self._tracked.log_end - self._sent
        if self._flying or self._lost or not 0 < left <= MAX_REPORT_TAIL:
            return 0, b""
        data = self._read(self._sent, left)
        return (self._sent, data) if data else (0, b"")

    async def _read_to_end(self) -> None:
        """Have the digest see every byte: the report closes the log, however much of it is still to be sent."""
        digest, tracked = self._tracked.digest, self._tracked
        while digest.position < tracked.log_end:
            if not self._read(digest.position, MAX_CHUNK):
                return
            await asyncio.sleep(0)
