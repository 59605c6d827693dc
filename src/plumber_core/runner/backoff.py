"""How long to wait before the next try to reach the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

SHORTEST, LONGEST = 0.2, 30.0
GROWTH = 1.5
"""Seconds, and the factor between two windows: a server that was away for a while finds its agents back within about
half of that while again."""


class Backoff:
    """Jittered and growing; the window counts from the last success, not from the call's start."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance
        self._window = SHORTEST

    def succeeded(self) -> None:
        """Start again from the shortest window."""
        self._window = SHORTEST

    def next(self) -> float:
        """Return the seconds to wait before the next try."""
        window, self._window = self._window, min(LONGEST, self._window * GROWTH)
        return window * self._chance.uniform(0.5, 1.0)
