"""The end of the event log, read once for all who follow it here: a thousand followers cost the database one read.

Whoever is further behind than what is remembered reads for himself until he has caught up.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from itertools import islice

from plumber_core.engine.clock import moment, monotonic
from plumber_core.model import limits
from plumber_core.model.event_place import START, Place, cursor_of, parse_cursor
from plumber_core.model.records import EventRow
from plumber_core.model.views import Event
from plumber_core.ports import Store

PAGE = 200
"""Events in one read."""
KEPT = 600
"""Newest events remembered for those who are not as fast as others; some pages."""
AT_ONCE = 64
"""Events given to a follower together: what a slow one keeps in memory."""


class EventTail:
    """The events of one execution, or of all.

    ``since`` and ``end`` are the places between which everything visible is remembered.
    """

    def __init__(self, store: Store, execution: str | None) -> None:
        self._store, self._execution = store, execution
        self._events: deque[tuple[Place, Event]] = deque()
        self._since: Place | None = None
        self._end = START
        self._stale, self._more = True, False
        self._read_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    def changed(self) -> None:
        """Something was committed that nobody has read."""
        self._stale = True

    async def join(self, after: str | None) -> Place:
        """Return the place of a new follower: that of a cursor, or now.

        Raises: InvalidRequest (no cursor), Unavailable.
        """
        place = None if after is None else parse_cursor(after)
        if place is None and self._since is not None:
            self._stale = True
            await self._refresh()
            place = None if self._more else self._end
        if place is None or self._since is None:
            now = parse_cursor(await self._store.last_event())
            place = now if place is None else place
            if self._since is None:
                self._since = self._end = now
        return place

    async def take(self, place: Place) -> tuple[list[Event], Place]:
        """Return some of what follows a place, and the place after that; nothing when nothing follows.

        Raises: Unavailable.
        """
        assert self._since is not None, "joined before"
        while place >= self._end:
            await self._refresh()
            if place >= self._end and not self._more:
                return [], place
        if place < self._since:
            return await self._look_up(place)
        found = list(islice(self._after(place), AT_ONCE))
        return [event for _, event in found], found[-1][0]

    def _after(self, place: Place) -> Iterator[tuple[Place, Event]]:
        newer = sum(1 for _ in _until(place, self._events))
        return islice(self._events, len(self._events) - newer, None)

    async def _look_up(self, place: Place) -> tuple[list[Event], Place]:
        end = self._end
        rows = await self._store.events_after(cursor_of(place), self._execution, AT_ONCE)
        if rows:
            place = parse_cursor(rows[-1].cursor)
        return list(map(view, rows)), place if len(rows) == AT_ONCE else max(place, end)

    async def _refresh(self) -> None:
        """Have read what was committed before this call; who calls meanwhile shares the reading."""
        if monotonic() - self._read_at > limits.SWEEP_INTERVAL:
            self._stale = True
        if self._stale and self._reading is not None:
            await self._read()
        if self._stale or self._reading is not None:
            await self._read()

    async def _read(self) -> None:
        if self._reading is None:
            # Lowered before the question: what is committed while it is under way raises it again.
            self._stale, self._read_at = False, monotonic()
            self._reading = asyncio.create_task(self._read_page(), name="read events")
            self._reading.add_done_callback(self._has_read)
        await asyncio.shield(self._reading)

    def _has_read(self, reading: asyncio.Task[None]) -> None:
        self._reading = None
        if reading.cancelled() or reading.exception() is not None:
            self._stale = True

    async def _read_page(self) -> None:
        rows = await self._store.events_after(cursor_of(self._end), self._execution, PAGE)
        self._more = len(rows) == PAGE
        self._stale = self._stale or self._more
        for row in rows:
            self._end = parse_cursor(row.cursor)
            self._events.append((self._end, view(row)))
        while len(self._events) > KEPT:
            self._since, _ = self._events.popleft()


def _until(place: Place, events: deque[tuple[Place, Event]]) -> Iterator[None]:
    """Yield once for each event after a place, the newest first: followers are near the end."""
    for one, _ in reversed(events):
        if one <= place:
            return
        yield


def view(row: EventRow) -> Event:
    """Return an event as it crosses the API."""
    return Event(
        id=row.cursor,
        at=moment(row.at),
        kind=row.kind,
        execution=row.execution_id,
        agent=row.agent_id,
        data=row.data,
    )
