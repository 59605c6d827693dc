"""Output, in durable bytes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from plumber_core.model import records as r


class LogStore(Protocol):
    """Attempts' logs: append by offset only."""

    async def append(self, chunks: Sequence[tuple[str, str, int, int, bytes]]) -> tuple[dict[str, int], list[str]]:
        """Append (attempt, agent, epoch, offset, frames) where offset meets the end.

        Returns the ends (-1: not this agent's, or another epoch) and the attempts whose log is complete with this.
        """
        ...

    async def read_log(self, attempt_id: str, offset: int, limit: int) -> tuple[r.AttemptRow, bytes] | None: ...

    async def read_log_from(self, attempt_id: str, place: r.LogPlace, limit: int) -> r.LogPiece | None:
        """Return the rows from the one at a place on, about ``limit`` bytes, by a fixed number of statements."""
        ...

    async def set_log_state(self, attempt_id: str, state: str) -> None: ...
