"""What the end of a wait between two batches writes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plumber_core.model.records import Opening, Outcome, Passed, Start, Told
from plumber_core.model.states import ExecutionState


@dataclass(frozen=True, slots=True)
class BatchOpening:
    """A stage of a rollout whose wait is over, and what is written with it.

    ``entered`` is the stage that begins: another one when nobody of its batch is left for the gate that waited.
    In a plan of parts ``outcome_of_part`` stands instead of ``execution_state``: what ends is a part.
    ``forced`` opens it although its pause is not over, or nobody was to open it by itself.
    """

    execution: str
    stage: int
    control: int
    forced: bool
    entered: Opening | None
    starts: tuple[Start, ...] = ()
    told: tuple[Told, ...] = ()
    execution_state: ExecutionState | None = None
    passed: tuple[Passed, ...] = ()
    outcome_of_part: Outcome | None = None
    part_stop: int = 2**40
    problem: dict[str, Any] | None = None
