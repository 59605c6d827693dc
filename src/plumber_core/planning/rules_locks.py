"""What locks of a task and of its steps mean together."""

from __future__ import annotations

from typing import Any

from plumber_core.planning.blocks import Place
from plumber_core.planning.problems import Report


def check_locks(task: dict[str, Any], places: list[Place], report: Report) -> None:
    """Report locks in both places: who holds one and waits for another may wait for ever."""
    if not task.get("locks"):
        return
    for place in places:
        if place.step.get("locks"):
            report.add("locks_twice", (*place.path, "locks"), at_key=True, step=place.label)
