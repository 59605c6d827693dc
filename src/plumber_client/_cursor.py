"""Where an event stream stands, over all of its connections."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from plumber_client._sse import SseParser, read_message
from plumber_core.model.views import Event, LogGrowth

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 5.0
"""Seconds between two tries to connect: a restarted server is met at once, a dead one is left in peace."""


@dataclass
class Cursor:
    """``last_id`` is the last event that was handed on, or the one after which the stream began;
    ``established``: a connection was made once.
    """

    last_id: str | None = None
    established: bool = False
    _failures: int = 0
    _parser: SseParser = field(default_factory=SseParser)

    def connected(self) -> None:
        """Begin with the bytes of a new connection."""
        self.established = True
        self._parser = SseParser(last_id=self.last_id, retry=self._parser.retry)

    def take(self, chunk: bytes) -> list[Event | LogGrowth]:
        """Return what the next bytes completed; an event that was handed on before is left out.

        Raises: ProtocolError.
        """
        self._failures = 0
        items = [item for message in self._parser.feed(chunk) if (item := read_message(message)) is not None]
        items = [item for item in items if isinstance(item, LogGrowth) or item.id != self.last_id]
        self.last_id = self._parser.last_id
        return items

    def pause(self) -> float:
        """Return how long to wait before the next connection, in seconds: longer each time, never in step."""
        first = self._parser.retry if self._parser.retry is not None else FIRST_PAUSE
        longest = min(LONGEST_PAUSE, first * 2**self._failures)
        self._failures = min(self._failures + 1, 16)
        return random.uniform(longest / 2, longest)
