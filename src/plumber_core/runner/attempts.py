"""What the link knows of each attempt in its agent's journal, kept up by the supervisor's events."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from plumber_core.protocol.digest import LogDigest
from plumber_core.protocol.messages import Held, HeldState, Outcome
from plumber_core.runner.restarts import META as RESTARTS
from plumber_core.runner.supervision import Exited, ExitInfo, Grew, Record, Started

STOP_AFTER, MASKED = "stop_after", "masked"
"""Kept with an attempt's record, so that the next link knows that renewals count for it."""
REMEMBERED = 4096
"""Attempts told to the end whose outcome is still known by heart, should the server ask late."""


@dataclass(slots=True, eq=False)
class Tracked:
    """One attempt. ``durable`` is the server's end of its log, None until the server has said so."""

    attempt: str
    state: HeldState
    boot_id: str = ""
    log_end: int = 0
    exit: ExitInfo | None = None
    durable: int | None = 0
    trimmed: int = 0
    outcome: Outcome | None = None
    reported: bool = False
    settled: bool = False
    about: dict[str, str] = field(default_factory=dict)
    stop_after: float | None = None
    restarts: bool = False
    """It ends with another boot of this machine."""
    masked: bool = False
    """It has secrets, which only the end of its supervised life takes out of what it hands on."""
    digest: LogDigest = field(default_factory=LogDigest)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def occupies(self) -> bool:
        """Whether it takes one of the agent's slots."""
        return self.state in ("spawning", "running")

    @property
    def ended(self) -> bool:
        """Whether there is an end to report."""
        return self.state in ("exited", "unknown")

    def follow(self, record: Record) -> None:
        """Take over what the journal says, unless it was asked before the end that was told since."""
        if self.ended and record.state in ("spawning", "running"):
            return
        self.state, self.boot_id, self.exit = record.state, record.boot_id, record.exit
        self.log_end = max(self.log_end, record.log_end)
        self.restarts = RESTARTS in record.meta
        self.masked = bool(record.meta.get(MASKED, self.masked))
        self.about = {key: record.meta[key] for key in ("task", "step") if key in record.meta}
        self.changed.set()


class LastWord(NamedTuple):
    """How an attempt ended, or ``void_boot``: the boot in which it was made void."""

    outcome: Outcome | None = None
    void_boot: str | None = None


class Attempts:
    """All of them. ``on_change`` hears of every attempt that has something new to tell the server."""

    def __init__(self) -> None:
        self._tracked: dict[str, Tracked] = {}
        self._told: dict[str, LastWord] = {}
        self._fewer = asyncio.Event()
        self.on_change: Callable[[Tracked], None] | None = None

    def __iter__(self) -> Iterator[Tracked]:
        return iter(tuple(self._tracked.values()))

    def find(self, attempt: str) -> Tracked | None:
        """Return an attempt that the journal holds."""
        return self._tracked.get(attempt)

    def held(self) -> tuple[Held, ...]:
        """Return the inventory as it goes into a heartbeat."""
        return tuple(Held(t.attempt, t.state, t.log_end) for t in self._tracked.values())

    def described(self) -> tuple[Held, ...]:
        """Return the inventory as it goes into a greeting."""
        return tuple(Held(t.attempt, t.state, t.log_end, t.about) for t in self._tracked.values())

    def any_counts_renewals(self) -> bool:
        """Say whether a command here has to end when the control plane is away for long."""
        return any(tracked.stop_after is not None and tracked.occupies for tracked in self._tracked.values())

    def any_restarts(self) -> bool:
        """Say whether this machine was asked to restart and has not yet."""
        return any(tracked.restarts and tracked.occupies for tracked in self._tracked.values())

    def occupied(self) -> int:
        """Return how many slots are taken."""
        return sum(tracked.occupies for tracked in self._tracked.values())

    def adopt(self, records: Iterable[Record]) -> None:
        """Replace everything by a fresh inventory; what this process knows beyond the journal stays."""
        known, self._tracked = self._tracked, {}
        for record in records:
            self._tracked[record.attempt] = known.get(record.attempt) or found(record)
            self._tracked[record.attempt].follow(record)
        self._fewer.set()

    def follow(self, record: Record) -> Tracked:
        """Take over one record."""
        tracked = self._tracked.setdefault(record.attempt, found(record))
        tracked.follow(record)
        self._fewer.set()
        self._announce(tracked)
        return tracked

    def begin(self, attempt: str) -> Tracked:
        """Note an attempt that is about to be spawned."""
        return self._tracked.setdefault(attempt, Tracked(attempt, "spawning"))

    def apply(self, event: Started | Grew | Exited) -> None:
        """Take over what the supervisor tells."""
        if isinstance(event, Exited):
            self.follow(event.record)
            return
        tracked = self._tracked.get(event.attempt)
        if tracked is None:
            return
        if isinstance(event, Started):
            tracked.state = "running" if tracked.state == "spawning" else tracked.state
            return
        tracked.log_end = max(tracked.log_end, event.end)
        self._announce(tracked)

    def _announce(self, tracked: Tracked) -> None:
        tracked.changed.set()
        if self.on_change is not None:
            self.on_change(tracked)

    def drop(self, attempt: str) -> None:
        """Forget an attempt of which the server knows everything."""
        tracked = self._tracked.pop(attempt, None)
        if tracked is not None:
            void = tracked.boot_id if tracked.state == "void" else None
            self._told[attempt] = LastWord(tracked.outcome, void)
        self._fewer.set()
        while len(self._told) > REMEMBERED:
            del self._told[next(iter(self._told))]

    async def none_runs(self) -> None:
        """Wait until no command runs."""
        while self.occupied():
            self._fewer.clear()
            await self._fewer.wait()

    async def all_told(self) -> None:
        """Wait until the server knows everything of every attempt but those that only another boot ends."""
        while any(not (tracked.restarts and tracked.occupies) for tracked in self._tracked.values()):
            self._fewer.clear()
            await self._fewer.wait()

    def doubt(self, *, everything: bool) -> None:
        """Take the server's ends for unknown, as acknowledgements may be lost; with ``everything``, its word too:
        its database is another one now."""
        for tracked in self._tracked.values():
            tracked.durable = None if tracked.log_end else 0
            if everything:
                tracked.reported = tracked.settled = False

    def withdraw(self, attempt: str) -> None:
        """Take back ``begin``: nothing was recorded."""
        self._tracked.pop(attempt, None)
        self._fewer.set()

    def last_word(self, attempt: str) -> LastWord | None:
        """Return what this process told the server of an attempt before it forgot it."""
        return self._told.get(attempt)


def found(record: Record) -> Tracked:
    """Return a record as an attempt of which the server's durable end is not known yet."""
    durable = None if record.log_end else 0
    return Tracked(
        record.attempt, record.state, record.boot_id, durable=durable, stop_after=record.meta.get(STOP_AFTER)
    )
