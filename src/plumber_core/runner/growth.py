"""Which logs have grown, told to the link at once and then at most once each ``GREW_EVERY`` seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from plumber_core.runner.attempt import FOREVER, Running
from plumber_core.runner.channel import Channel

GREW_EVERY = 0.01


class Growth:
    """Keeps what is still to be told of the ``live`` commands' logs; ``tell`` is the way to the link."""

    def __init__(self, live: Mapping[str, Running], tell: Callable[..., Any]) -> None:
        self._live, self._tell = live, tell
        self._grown: dict[str, None] = {}
        self._told_at = 0.0

    def note(self, run: Running) -> None:
        """A log has grown."""
        self._grown[run.attempt] = None

    def drop(self, attempt: str) -> None:
        """Its end is told instead."""
        self._grown.pop(attempt, None)

    def deadline(self) -> float:
        """Return when there is something to tell (boot clock)."""
        return self._told_at + GREW_EVERY if self._grown else FOREVER

    def tell(self, now: float, link: Channel | None) -> None:
        """Tell what has grown, unless it is too early or the link does not keep up."""
        if not self._grown or now < self._told_at + GREW_EVERY:
            return
        self._told_at = now
        if link is not None and link.congested:
            return
        for attempt in self._grown:
            if (run := self._live.get(attempt)) is not None:
                self._tell(event="grew", attempt=attempt, end=run.log.end)
        self._grown.clear()
