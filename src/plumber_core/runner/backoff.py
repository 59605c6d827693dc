"""How long to wait before the next try to reach the server."""

from __future__ import annotations

import random

SHORTEST, LONGEST = 0.2, 30.0
"""Seconds. The first retry after a success is quick: a restarted server should find its agents back at once."""


class Backoff:
    """Jittered, doubling; the window counts from the last success, not from the call's start."""

    def __init__(self, source: random.Random | None = None) -> None:
        self._random = source or random.Random()
        self._window = SHORTEST

    def succeeded(self) -> None:
        """Start again from the shortest window."""
        self._window = SHORTEST

    def next(self) -> float:
        """Return the seconds to wait before the next try."""
        window, self._window = self._window, min(LONGEST, self._window * 2)
        return window * self._random.uniform(0.5, 1.0)
