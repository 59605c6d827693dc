"""Where an execution stands in the stages of its plan. Part of ``records.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plumber_core.model.parts import TURN, Outcome
from plumber_core.model.plan import Pause


@dataclass(frozen=True, slots=True)
class Progress:
    """One counter row: ``control`` rises with every cancel or pause, so that a guard notices it.

    In a rollout ``carried`` hosts have failed in the batches before. A stage that ``waits`` for its ``pause`` or to be
    told to go (``manual``) has not begun; ``opens_at`` is when a pause is over. ``missed`` hosts were left out because
    they were offline, in the batches before too. The first stage of a part waits for its ``turn``. ``outcome`` is how a
    part ended whose last stage this was; then, too, ``opens_at`` says that somebody has to look what follows.
    """

    stage: int
    remaining: int
    failed: int
    control: int
    carried: int = 0
    waits: str | None = None
    opens_at: int | None = None
    missed: int = 0
    outcome: Outcome | None = None

    @property
    def pauses(self) -> bool:
        """Whether it waits between two batches of a rollout."""
        return self.waits is not None and self.waits != TURN


@dataclass(frozen=True, slots=True)
class Opening:
    """The stage that is reached: it has ``lanes`` and begins now, or after its ``pause``; see ``Progress``."""

    stage: int
    carried: int
    lanes: int
    pause: Pause | None = None
    missed: int = 0

    @property
    def waits(self) -> str | None:
        """What is stored of the pause's kind."""
        return None if self.pause is None else ("manual" if self.pause == "manual" else "pause")


Told = tuple[str, dict[str, Any]]
"""An event without an agent: its kind and data."""
