"""Tasks and their revisions."""

from __future__ import annotations

from typing import Any, Protocol

from plumber_core.model import records as r


class TaskStore(Protocol):
    """Definitions and their revisions."""

    async def save_task(
        self, row: r.RevisionRow, name: str, description: str, expected: int | None
    ) -> tuple[r.TaskRow, bool] | None:
        """Create a task or add a revision; the same digest changes nothing. None when ``expected`` differs.

        The flag says whether a revision was written. ``row.task_id`` is used for a new task only.
        """
        ...

    async def find_task(self, name_or_id: str) -> r.TaskRow | None: ...

    async def find_revision(self, task_id: str, number: int) -> r.RevisionRow | None: ...

    async def list_revisions(self, task_id: str) -> list[r.RevisionRow]: ...

    async def list_tasks(self, search: str, limit: int, after: str | None) -> list[dict[str, Any]]:
        """Return task rows in order of names, each with ``last_execution`` and ``last_state``."""
        ...

    async def delete_task(self, id: str) -> bool: ...
