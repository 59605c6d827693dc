"""What blocks and rollouts ask of the store."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from plumber_core.model import records as r
from plumber_core.model.batch_records import BatchOpening
from plumber_core.model.states import StepState


class BatchStore(Protocol):
    """Stages of rollouts, and what is read while a host goes through a block."""

    async def open_batch(self, opening: BatchOpening) -> bool:
        """End the wait of a stage. False when it does not wait, not yet or no more, or somebody changed it."""
        ...

    async def due_batches(self) -> list[tuple[str, int]]:
        """Return the (execution, stage) whose pauses are over."""
        ...

    async def stages(self, execution_id: str) -> tuple[list[r.Progress], dict[int, Counter[StepState]]]:
        """Return the counters of every stage, and how many of its steps are in which state."""
        ...

    async def outputs(
        self, execution_id: str, steps: Sequence[int], agent: str | None = None
    ) -> list[tuple[int, str, dict[str, str]]]:
        """Return (step, agent, outputs) of succeeded steps, of one agent only if it is named."""
        ...
