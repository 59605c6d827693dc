"""Parts of a plan: what of a task runs one after another, beside each other, or at the end whatever happened."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Self

Outcome = Literal["succeeded", "failed", "cancelled", "skipped", "passed"]
"""How a part ended. ``skipped``: what it needs has failed; ``passed``: there was nothing to do, which is no failure."""
TURN = "turn"
"""For what the first stage of a part waits until all that it needs has ended (``Progress.waits``)."""


@dataclass(frozen=True, slots=True)
class Part:
    """Stages ``first`` to ``stop`` (without it) of a plan, which run one after another once ``needs`` have ended.

    ``needs`` are indexes of parts. One that is asked ``after_failure`` begins although something that it needs has
    failed: its condition says what it does then. Parts that run ``always`` begin, in order, when all others have ended,
    however.
    """

    first: int
    stop: int
    needs: tuple[int, ...] = ()
    always: bool = False
    after_failure: bool = False
    name: str = ""
    """Of the step that it is; empty where it is a row of several."""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what ``dataclasses.asdict`` wrote."""
        return cls(**{**value, "needs": tuple(value["needs"])})

    @property
    def stages(self) -> range:
        """The indexes of its stages."""
        return range(self.first, self.stop)
