"""When an agent tells how busy its host is: now and then, and only news."""

from __future__ import annotations

from collections.abc import Callable

from plumber_core.protocol.messages import Load

EVERY = 5.0
"""Seconds between two measurements."""


class LoadGauge:
    """What a session has to tell of the load: a measurement now and then, as long as it is news to the server.

    Args:
        measure: does it.
        clock: returns seconds.
    """

    def __init__(self, measure: Callable[[], Load | None], clock: Callable[[], float]) -> None:
        self._measure, self._clock = measure, clock
        self._due = float("-inf")
        self._now: Load | None = None
        self._told: Load | None = None

    def news(self) -> Load | None:
        """Return the load if the server does not know it."""
        if self._clock() >= self._due:
            self._due = self._clock() + EVERY
            self._now = self._measure()
        return self._now if self._now != self._told else None

    def told(self, load: Load | None) -> None:
        """Note that the server has heard ``news``."""
        self._told = load or self._told
