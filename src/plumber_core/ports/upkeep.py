"""What time brings about: silence, expiry, deletion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from plumber_core.model import records as r
from plumber_core.model.absent import Absent


class ReaperStore(Protocol):
    """What time brings about. With a ``term`` only while that leader leads; idempotent all the same."""

    async def resign(self, term: r.Term) -> None:
        """Give a lease back at once."""
        ...

    async def clock_jumped(self, term: r.Term, seconds: float) -> None:
        """Move what waits for a time with the clock, and count silence from now."""
        ...

    async def hold_retries(self, agent_id: str, attempts: Sequence[str]) -> list[str]: ...

    async def wake_retries(self) -> list[r.StepRow]:
        """Make the steps ready whose next attempt is due, and return them."""
        ...

    async def due(self, term: r.Term, at: int | None = None) -> r.Due | None:
        """Wake retries, find what waited or ran for too long ``at`` that database time (None: now), and what was
        adopted; None when another leads."""
        ...

    async def absent(self, lease: float, at: int | None = None) -> list[Absent]:
        """Return ready steps whose hosts are silent, for ``lease`` s at least and for as long as their tasks wait."""
        ...

    async def mark_unreachable(self, term: r.Term, lease: float, at: int | None = None) -> list[r.StepRow]: ...

    async def mark_reachable(self, agent_id: str, attempts: Sequence[str]) -> None: ...

    async def silent(self, at_least: float, at: int | None = None) -> list[r.Silent]:
        """Return the unreachable steps, and those with a timeout that were started ``at_least`` so long ago."""
        ...

    async def sweep_credentials(self) -> None: ...


class RetentionStore(Protocol):
    """Deleting what is old."""

    async def old_executions(self, seconds: float, last: int, limit: int) -> list[tuple[str, str]]:
        """Return (id, task) of executions that ended so long ago, the oldest first, but each task's ``last``."""
        ...

    async def delete_executions(self, term: r.Term, executions: Sequence[str]) -> int | None:
        """Delete a thousand rows of ended executions; say how many are gone entirely, None when another leads."""
        ...

    async def deleted_at(self, execution: str) -> int | None: ...
