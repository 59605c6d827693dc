"""In which rows the steps are that wait for their turn."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence

from plumber_core.engine.core import Engine
from plumber_core.ids import step_execution_id
from plumber_core.model.rounds import BlockedRow

RowsOf = Callable[[int, Sequence[int]], Awaitable[Mapping[int, BlockedRow]]]
"""From a step and lanes of it to the rows that wait for their turn."""


def first_rows(execution: str) -> RowsOf:
    """Return the rows of an execution that has no other round than its first: nothing is read."""

    async def find(step: int, lanes: Sequence[int]) -> Mapping[int, BlockedRow]:
        return {lane: BlockedRow(step_execution_id(execution, step, lane), 0) for lane in lanes}

    return find


def stored_rows(engine: Engine, execution: str) -> RowsOf:
    """Return the rows of an execution with several rounds."""

    async def find(step: int, lanes: Sequence[int]) -> Mapping[int, BlockedRow]:
        found = await engine.store.blocked_rows(execution, step, lanes)
        # Whoever has moved one meanwhile has changed what the write under way is guarded by.
        return {**await first_rows(execution)(step, lanes), **found}

    return find
