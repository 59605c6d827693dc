"""What somebody has to hold before it begins."""

from __future__ import annotations

from dataclasses import dataclass

EVERYTHING = "*"
"""Instead of names: all that anybody asks for."""
NEVER = 2**62
"""``ready_at`` of a step that waits for its locks: no clock gets there."""
PAUSED = 2**61
"""What is added to ``ready_at`` while the execution is paused: no clock gets there, and the time is not forgotten."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Something that has to be free: ``name`` is its key, ``label`` how people read it. At most ``most`` may hold it at
    once, any number if None. Of a queue of executions the rest says what becomes of one more; see
    ``model.locks.Concurrency``.
    """

    name: str
    label: str
    most: int | None = 1
    priority: int = 0
    overlap: str | None = None
    most_waiting: int | None = None
