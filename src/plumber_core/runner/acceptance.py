"""Whether an agent takes steps now, and if not, why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from plumber_core.model.limits import DISK_FREE, DISK_FREE_SHARE, SPOOL_CAP_AGENT
from plumber_core.protocol.messages import DISK_PRESSURE, RESTARTING, STOPPING
from plumber_core.runner.clock import CLOCK, Clock
from plumber_core.runner.disk import DISK, Disk
from plumber_core.runner.wire import SPOOL_NAME

REST = 10.0
"""Seconds without new steps after the disk refused something although it seemed to have room."""
COUNT_REST = 50
"""A count of the spool holds for so many times as long as it took: it may be full of a day's attempts."""
EASE = 1.1
"""Once short, a disk must have this much more than it needed, so that an agent does not waver."""


class Room:
    """Whether the disk under a state folder has room for more work.

    Args:
        folder: the state folder.
        cap: bytes of output that all attempts together may hold there.
    """

    def __init__(self, folder: Path, cap: int = SPOOL_CAP_AGENT, disk: Disk = DISK, clock: Clock = CLOCK) -> None:
        self._folder, self._cap, self._disk, self._clock = str(folder), cap, disk, clock
        self._short = False
        self._rests_until = 0.0
        self._held, self._count_again = 0, float("-inf")

    def short(self) -> bool:
        """Look at the disk and say whether there is too little room."""
        try:
            free, total = self._disk.room(self._folder)
            held = self._count()
        except OSError:
            return True
        needed = min(DISK_FREE, total * DISK_FREE_SHARE)
        ease = EASE if self._short else 1.0
        self._short = free < needed * ease or held * ease > self._cap
        return self._short or self._clock.boottime() < self._rests_until

    def _count(self) -> int:
        began = self._clock.boottime()
        if began >= self._count_again:
            self._held = self._disk.held(f"{self._folder}/{SPOOL_NAME}")
            ended = self._clock.boottime()
            self._count_again = ended + COUNT_REST * (ended - began)
        return self._held

    def failed(self) -> None:
        """Note that the disk refused something."""
        self._rests_until = self._clock.boottime() + REST


class Acceptance:
    """Says ``refuses``. ``stopping`` is set when the agent only waits for what runs.

    ``restarting`` says whether its machine is about to go down: a step that began now would be lost.

    The disk is looked at with each renewal, which tells the server, and not for each step: that would delay it.
    """

    def __init__(self, room: Room | None, restarting: Callable[[], bool] = lambda: False) -> None:
        self._room, self._restarting = room, restarting
        self._short = False
        self.stopping = False

    def look(self) -> None:
        """Look at the disk."""
        self._short = self._room is not None and self._room.short()

    @property
    def refuses(self) -> str:
        """Why no steps are taken now; empty when they are."""
        if self.stopping:
            return STOPPING
        if self._restarting():
            return RESTARTING
        return DISK_PRESSURE if self._short else ""

    def disk_failed(self) -> None:
        """Note that the disk refused something: no steps for a while."""
        if self._room is not None:
            self._room.failed()
            self._short = True
