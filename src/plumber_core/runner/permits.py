"""Leave to start: counted from when the agent *sent* the renewal that a permit names, never from a receipt."""

from __future__ import annotations

REMEMBERED = 60.0
"""Seconds; the server tells with some delay which renewal it has recorded."""


class Permits:
    """The sending times of one session's renewals; the greeting itself is number 0.

    All times are seconds of the boot clock.
    """

    def __init__(self, ttl: float, opened: float) -> None:
        self.ttl = ttl
        self._sent: dict[int, float] = {0: opened}

    def sent(self, beat: int, at: float) -> None:
        """Remember that renewal ``beat`` was sent ``at``; renewals too old for any permit are forgotten."""
        self._sent[beat] = at
        for old in [number for number, when in self._sent.items() if at - when > max(2 * self.ttl, REMEMBERED)]:
            del self._sent[old]

    def sent_at(self, beat: int) -> float | None:
        """Return when renewal ``beat`` was sent, or None when that is not known (any more)."""
        return self._sent.get(beat)

    def until(self, beat: int, now: float) -> float | None:
        """Return when a permit counted from ``beat`` ends, or None when it ended or the renewal is not known."""
        sent = self._sent.get(beat)
        if sent is None or now - sent > self.ttl:
            return None
        return sent + self.ttl
