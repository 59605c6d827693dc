"""What is cancelled of an execution while the rest of it goes on: hosts, or a step on them."""

from __future__ import annotations

from dataclasses import dataclass

from plumber_core.model.forgotten import Settlement
from plumber_core.model.records import Told
from plumber_core.model.rounds import Cells, Place


@dataclass(frozen=True, slots=True)
class Touched:
    """``waiting`` steps end with it, ``live`` ones are asked to end."""

    waiting: tuple[Place, ...]
    live: tuple[Place, ...]

    @property
    def all(self) -> tuple[Place, ...]:
        """Both."""
        return (*self.waiting, *self.live)


@dataclass(frozen=True, slots=True)
class SomeCancelled:
    """What is written if the execution is still as it was seen (``cells``).

    ``leaves_out`` are the hosts that are out of the execution from then on. ``settlement`` is where it stands then; of
    a paused one that is found when it goes on.
    """

    execution: str
    controls: tuple[int, ...]
    cells: Cells
    touched: Touched
    round: int
    kill: bool = False
    leaves_out: tuple[str, ...] = ()
    settlement: Settlement | None = None
    warnings: int = 0
    told: tuple[Told, ...] = ()
