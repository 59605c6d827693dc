"""What is run."""

from __future__ import annotations

from dataclasses import dataclass

from plumber_core.model.task import Task


@dataclass(frozen=True, slots=True)
class Source:
    """What is run. ``current`` is the task's newest revision when ``revision`` was chosen as the newest."""

    task: Task
    task_id: str | None = None
    revision: int | None = None
    current: int | None = None
