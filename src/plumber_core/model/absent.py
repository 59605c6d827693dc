"""Steps that wait for hosts that are not there."""

from __future__ import annotations

from dataclasses import dataclass

from plumber_core.model.records import StepRow


@dataclass(frozen=True, slots=True)
class Absent:
    """A ready step that was waited for as long as its task says; ``heard`` is when its host was, 0 for never."""

    step: StepRow
    heard: int
