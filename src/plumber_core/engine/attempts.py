"""Where an attempt stands, read from its id: no look-up needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from plumber_core.errors import NotFound
from plumber_core.ids import step_execution_id
from plumber_core.model.records import StepRow

ID_LENGTH = 36


@dataclass(frozen=True, slots=True)
class AttemptRef:
    """Where an attempt stands, read from its id (``ids.py``)."""

    attempt: str
    execution: str
    step: int
    lane: int
    round: int

    @classmethod
    def parse(cls, attempt: str) -> Self:
        """Read an attempt's id.

        Raises:
            NotFound: it is none.
        """
        execution, rest = attempt[:ID_LENGTH], attempt[ID_LENGTH:].split("-")
        if len(rest) != 6 or not all(part.isascii() and part.isdigit() for part in rest[1:5]):
            raise NotFound(kind="attempt", name=attempt)
        return cls(attempt, execution, int(rest[1]), int(rest[2]), int(rest[3]))

    @classmethod
    def of_step(cls, step: StepRow) -> Self:
        """Return where a step stands, with its current attempt, or with ``""`` when it has none."""
        return cls(step.attempt_id or "", step.execution_id, step.step, step.lane, step.round)

    @property
    def number(self) -> int:
        """Which try at its step it is, from 1."""
        return int(self.attempt.rsplit("-", 2)[1])

    @property
    def step_id(self) -> str:
        """The id of the step execution."""
        return step_execution_id(self.execution, self.step, self.lane, self.round)
