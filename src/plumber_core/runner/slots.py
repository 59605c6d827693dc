"""How many commands may run at once on this agent. The server keeps count too; this is the second fence."""

from __future__ import annotations

import asyncio
from collections import deque

from plumber_core.runner.attempts import Attempts
from plumber_core.runner.clock import CLOCK, Clock


class Slots:
    """Reserve one before spawning; from then on the running attempt itself takes it."""

    def __init__(self, attempts: Attempts, limit: int, clock: Clock = CLOCK) -> None:
        self._clock = clock
        self._attempts = attempts
        self._limit = limit
        self._waiting: deque[asyncio.Future[None]] = deque()

    def _free(self) -> bool:
        return self._attempts.occupied() < self._limit

    def are_free(self) -> bool:
        """Say whether one can be taken without waiting for it, or for others who wait."""
        return not self._waiting and self._free()

    async def wait(self, until: float) -> bool:
        """Wait for a free slot, in order of arrival; say whether there was one before ``until`` (boot clock)."""
        while not self._free():
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            try:
                async with asyncio.timeout(until - self._clock.boottime()):
                    await turn
            except TimeoutError:
                return False
            finally:
                if turn in self._waiting:
                    self._waiting.remove(turn)
        return True

    def freed(self) -> None:
        """Wake who waits for a slot that may have become free."""
        free = self._limit - self._attempts.occupied()
        while free > 0 and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                free -= 1
