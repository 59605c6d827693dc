"""A paused execution: nothing more is started, what runs ends as it may, and what has ended is looked at when it goes
on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plumber_core.model.forgotten import Settlement
from plumber_core.model.records import Told
from plumber_core.model.rounds import Cells, NewRow


@dataclass(frozen=True, slots=True)
class Pausing:
    """Who pauses an execution and why, as a code with arguments."""

    execution: str
    pause: dict[str, Any]
    told: Told


@dataclass(frozen=True, slots=True)
class Continuation:
    """Where a paused execution stands as it goes on, to be written if it is still as it was seen (``cells``).

    ``rows`` of the next round pass over what has failed, ``warnings`` is to be counted.
    """

    settlement: Settlement
    cells: Cells
    round: int
    rows: tuple[NewRow, ...] = ()
    warnings: int = 0
    told: tuple[Told, ...] = ()
