"""What pages show."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from plumber_core.model import records as r


class OverviewStore(Protocol):
    """Reads for pictures of many rows."""

    async def ready_steps(self, execution_id: str, limit: int) -> list[r.StepRow]:
        """Return the first ready steps that one agent each can run."""
        ...

    async def matrix(self, execution_id: str) -> r.MatrixRows | None: ...

    async def step_rounds(
        self, execution_id: str, step: int, agent_id: str
    ) -> tuple[list[r.StepRow], list[r.AttemptRow]]:
        """Return a step's rounds on one host, the newest first, and their attempts."""
        ...

    async def step_ends(self, execution_id: str, step: int) -> list[tuple[r.StepRow, r.AttemptRow | None]]:
        """Return a step's executions with their current attempts, by lane and round."""
        ...

    async def log_sources(
        self, execution_id: str, step: int | None, agents: Sequence[str] | None, limit: int
    ) -> list[tuple[Any, ...]]:
        """Return (attempt, step, agent, number, started, log end, log state) of current attempts."""
        ...

    async def operations_on(self, execution_id: str) -> list[r.EventRow]:
        """Return what people did to an execution."""
        ...

    async def running_and_failed(self, since: int) -> tuple[list[r.ExecutionRow], list[r.ExecutionRow]]: ...

    async def state_counts(self, executions: Sequence[str]) -> dict[str, dict[str, int]]: ...

    async def recent_results(
        self, tasks: Sequence[str], each: int
    ) -> dict[str, list[tuple[str, str, int, int | None]]]:
        """Return (execution, state, created, ended) of tasks' last executions, the newest first."""
        ...

    async def definitions(self, revisions: Sequence[tuple[str, int]]) -> dict[str, dict[str, Any]]:
        """Return the definitions of (task, revision) by task."""
        ...

    async def totals(self) -> tuple[int, int]:
        """Return how many tasks and executions there are; of executions no more than a thousand are counted."""
        ...
