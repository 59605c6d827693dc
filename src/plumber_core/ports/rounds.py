"""What rounds ask of the store: the newest rows of an execution, and what people lay anew."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from plumber_core.model import rounds as m
from plumber_core.model.states import StepState


class RoundStore(Protocol):
    """A step on one host has a row for each round; the newest one says where it stands."""

    async def whole(self, execution_id: str) -> m.Whole | None:
        """Return all of an execution, of one moment."""
        ...

    async def renew(self, change: m.Renewal) -> bool:
        """Write a new round. False when somebody has changed the execution since: nothing was written."""
        ...

    async def open_lanes(self, execution_id: str, stage: int, chain: Sequence[int]) -> dict[int, int]:
        """Return the lanes of a stage in which a step of its chain is blocked, with the first of them."""
        ...

    async def missed_lanes(self, execution_id: str, stage: int, first: int, resumed: int) -> int:
        """Count the lanes of a stage that have been skipped since the last resume without having begun."""
        ...

    async def lane_states(
        self, execution_id: str, lane: int, agent: str, steps: Sequence[int], resumed: int
    ) -> dict[int, StepState]:
        """Return where steps of one host stand, as what follows sees it; ``resumed`` is the last resume's round."""
        ...

    async def blocked_rows(self, execution_id: str, step: int, lanes: Sequence[int]) -> dict[int, m.BlockedRow]:
        """Return, by lane, the rows of a step that wait for their turn."""
        ...

    async def left_out(self, execution_id: str, resumed: int) -> list[tuple[int, StepState, int]]:
        """Count, by step and state, what the last resume left out that has not succeeded."""
        ...
