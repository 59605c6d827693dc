"""What becomes of an attempt that the server hands out: it is started once, or proven never to start."""

from __future__ import annotations

import functools
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from plumber_core.crash import crash_point
from plumber_core.errors import PlumberError, SpoolUnwritable, Unavailable
from plumber_core.protocol.messages import DISK_PRESSURE, Ask, Assignment, Cancel, NeverRan, Report, Start
from plumber_core.runner.acceptance import Acceptance
from plumber_core.runner.attempts import MASKED, STOP_AFTER, LastWord, Tracked
from plumber_core.runner.commands import Surroundings, build_command
from plumber_core.runner.kept import LIFE
from plumber_core.runner.outcomes import FORGOTTEN
from plumber_core.runner.permits import Permits
from plumber_core.runner.slots import Slots
from plumber_core.runner.uploads import Line

log = logging.getLogger("plumber.agent")


class Assignments:
    """Handles one session's assignments, questions and cancels. Nothing here blocks the caller."""

    def __init__(
        self, line: Line, permits: Permits, slots: Slots, acceptance: Acceptance, around: Surroundings
    ) -> None:
        self._line = line
        self._permits = permits
        self._slots = slots
        self._acceptance = acceptance
        self._around = around
        self._waiting: dict[str, bool] = {}
        """Attempts between their arrival and their spawn, and whether they were cancelled meanwhile."""

    def assign(self, assignment: Assignment) -> None:
        """Start it, unless it belongs to another session or epoch, or the journal has it."""
        line, attempt = self._line, assignment.attempt
        if (assignment.session, assignment.epoch) != (line.session, line.epoch):
            return
        if (
            line.scope.closed
            or attempt in self._waiting
            or line.attempts.find(attempt)
            or line.attempts.last_word(attempt)
        ):
            return
        crash_point("link.assigned")
        until = self._permitted(assignment)
        if until is None or assignment.cancel or self._acceptance.refuses or not self._slots.are_free():
            self._waiting[attempt] = assignment.cancel
            self._start(self._carry_out, assignment)
        else:
            # As usual there is nothing to wait for: the supervisor hears of it in this moment.
            self._start(self._spawned, attempt, self._asked(assignment, until))

    def ask(self, question: Ask) -> None:
        """Answer what became of an attempt; see the protocol's rule for questions."""
        assignment, line = question.assignment, self._line
        attempt = assignment.attempt
        if tracked := line.attempts.find(attempt):
            self._answer(tracked, assignment.cancel)
        elif attempt in self._waiting:
            self._waiting[attempt] |= assignment.cancel
        elif word := line.attempts.last_word(attempt):
            if assignment.session != line.session:
                self._start(self._tell_again, attempt, word)
        elif assignment.session == line.session and not assignment.cancel:
            self.assign(assignment)
        else:
            self._start(self.give_back, attempt, "cancelled" if assignment.cancel else "session")

    def _answer(self, tracked: Tracked, cancel: bool) -> None:
        if tracked.state == "void":
            self._start(self.prove, tracked.attempt, "asked")
        elif tracked.ended:
            tracked.reported = False
            tracked.changed.set()
        elif cancel:
            self._start(self._line.supervisor.cancel, tracked.attempt)

    def cancel(self, order: Cancel) -> None:
        """End a command, or keep one that has not begun from beginning."""
        line, attempt = self._line, order.attempt
        if tracked := line.attempts.find(attempt):
            # One that is being spawned is cancelled too: the order follows the spawn on the same socket.
            if tracked.occupies:
                self._start(line.supervisor.cancel, attempt, grace=order.grace, kill=order.kill)
        elif attempt in self._waiting:
            self._waiting[attempt] = True
        elif not line.attempts.last_word(attempt):
            self._start(self.give_back, attempt, "cancelled")

    def _start(self, work: Callable[..., Awaitable[None]], *arguments: Any, **options: Any) -> None:
        self._line.scope.start(self._guarded(functools.partial(work, *arguments, **options)))

    async def _guarded(self, work: Callable[[], Awaitable[None]]) -> None:
        """A full disk or a message that the server does not take is that attempt's trouble, not the session's."""
        try:
            await work()
        except SpoolUnwritable as error:
            log.error("%s", error)
        except Unavailable:
            raise
        except PlumberError as error:
            log.error("The server did not take it: %s", error)

    async def _carry_out(self, assignment: Assignment) -> None:
        attempt = assignment.attempt
        try:
            until = await self._leave(assignment)
            if until is None:
                return
            if refusal := self._acceptance.refuses:
                await self.give_back(attempt, refusal)
            elif not await self._slots.wait(until):
                await self.give_back(attempt, "busy")
            elif self._waiting[attempt]:
                await self.give_back(attempt, "cancelled")
            else:
                await self._spawned(attempt, self._asked(assignment, until))
        finally:
            del self._waiting[attempt]

    def _permitted(self, assignment: Assignment) -> float | None:
        """Return until when the permit that an assignment carries is good, None when it carries none or an old one."""
        return self._permits.until(assignment.beat, self._line.world.clock.boottime()) if assignment.permit else None

    async def _leave(self, assignment: Assignment) -> float | None:
        """Return until when the command may be started; None when it may not, which the server knows then."""
        if (until := self._permitted(assignment)) is not None:
            return until
        line, now = self._line, self._line.world.clock.boottime()
        question = Start(line.session, assignment.attempt, line.boot_id, line.epoch)
        answer = (await line.peer.start(question)).answer
        if answer == "go":
            return now + self._permits.ttl
        await self.give_back(assignment.attempt, answer)
        return None

    def _asked(self, assignment: Assignment, until: float) -> Awaitable[str]:
        """Ask the supervisor to start it; return what its answer will be."""
        crash_point("link.permit_got")
        line, attempt = self._line, assignment.attempt
        tracked = line.attempts.begin(attempt)
        # The server counts from the renewal that the permit names, so the command does, too.
        command = build_command(assignment, self._around, until - self._permits.ttl)
        spec = assignment.spec
        tracked.stop_after, tracked.restarts = spec.stop_after, command.restarts is not None
        meta: dict[str, Any] = {"execution": spec.execution, "task": spec.task, "step": spec.step}
        if spec.stop_after is not None:
            meta[STOP_AFTER] = spec.stop_after
        if spec.secrets:
            meta[MASKED] = tracked.masked = True
        return line.supervisor.spawn(attempt, command, permit_until=until, meta=meta)

    async def _spawned(self, attempt: str, asking: Awaitable[str]) -> None:
        try:
            result = await asking
        except SpoolUnwritable as error:
            await self._refused_by_disk(attempt, error)
            return
        crash_point("link.spawned")
        tracked = self._line.attempts.find(attempt)
        if result != "spawned":
            await self._not_spawned(attempt, result)
        elif tracked is not None and tracked.state == "spawning":
            tracked.state = "running"

    async def _refused_by_disk(self, attempt: str, error: SpoolUnwritable) -> None:
        """Nothing was recorded, so nothing is proven either: what the disk refused may fit into the journal's reserve.

        If not even the proof does, the server asks again, and then it may work.
        """
        log.error("%s", error)
        self._acceptance.disk_failed()
        self._line.attempts.withdraw(attempt)
        self._slots.freed()
        await self.give_back(attempt, DISK_PRESSURE)

    async def _not_spawned(self, attempt: str, result: str) -> None:
        log.info("%s: not spawned (%s)", attempt, result)
        if result == "stale":
            await self.give_back(attempt, result)
        elif result == "known":
            await self._look_up(attempt)
        self._slots.freed()

    async def give_back(self, attempt: str, reason: str) -> None:
        """Make it impossible that an attempt ever starts here, then tell the server so."""
        answer = await self._line.supervisor.void(attempt)
        crash_point("link.voided")
        tracked = self._line.attempts.begin(attempt)
        if answer == "void":
            tracked.state, tracked.boot_id = "void", self._line.boot_id
            await self.prove(attempt, reason)
        else:
            await self._look_up(attempt)

    async def prove(self, attempt: str, reason: str) -> None:
        """Send the proof that a void record is, then let the record become a tombstone."""
        line = self._line
        tracked = line.attempts.find(attempt)
        await self._never_ran(attempt, tracked.boot_id if tracked else "", reason)
        crash_point("link.void_told")
        await line.supervisor.forget(attempt)
        crash_point("link.void_forgotten")
        line.attempts.drop(attempt)

    async def _never_ran(self, attempt: str, boot: str, reason: str) -> None:
        line = self._line
        await line.peer.never_ran(NeverRan(line.session, attempt, boot or line.boot_id, reason, line.epoch))

    async def _look_up(self, attempt: str) -> None:
        """The supervisor has a record that this process does not know: act on what it says."""
        line = self._line
        await line.supervisor.revive(LIFE, attempt)
        record = next((r for r in await line.supervisor.inventory() if r.attempt == attempt), None)
        if record is None:
            line.attempts.drop(attempt)
            await self._tell_again(attempt, line.attempts.last_word(attempt))
        else:
            line.attempts.follow(record)

    async def _tell_again(self, attempt: str, word: LastWord | None) -> None:
        """Say the last word on an attempt whose record is gone: its tombstone proves that it was here."""
        line = self._line
        if word is not None and word.void_boot is not None:
            await self._never_ran(attempt, word.void_boot, "void")
            return
        outcome = word.outcome if word and word.outcome else FORGOTTEN
        await line.peer.report(Report(line.session, attempt, outcome, line.epoch))
