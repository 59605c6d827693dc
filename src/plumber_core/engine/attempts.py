"""Where an attempt stands, read from its id: no look-up needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from plumber_core.errors import NotFound
from plumber_core.ids import step_execution_id

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

    @property
    def step_id(self) -> str:
        """The id of the step execution."""
        return step_execution_id(self.execution, self.step, self.lane, self.round)
