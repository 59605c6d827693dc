"""Followers of the event log with a durable place: each hears every committed event at least once, in order.

Only the leader follows. Whoever cannot take an event is asked again later, at the same event, and holds nobody else up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from plumber_core.engine.clock import monotonic
from plumber_core.engine.core import Engine, said
from plumber_core.errors import PlumberError
from plumber_core.model.notices import EventPage, NewDelivery
from plumber_core.model.records import EventRow, Term

log = logging.getLogger(__name__)
PAGE = 200
BREATH = 0.25
"""Seconds in which commits are gathered: a busy server is asked four times a second, an idle one by the sweep."""
RETRIED, SKIPPED = "subscriber.retried", "subscriber.skipped"
"""What somebody has done about one that was stuck, as events."""
PATIENCE = 60.0
"""Seconds after which whoever handles an event counts as hung."""
RETRY_FIRST, RETRY_MOST = 1.0, 300.0
STORE_PLACE_EVERY = 60.0
"""Seconds: a place is stored with what follows from it; where nothing does, now and then."""

Handler = Callable[[EventRow, int], Awaitable[list[NewDelivery]]]
"""Takes an event and the database's time, returns what is to be delivered because of it."""


@dataclass(eq=False)
class Follower:
    """One who follows; ``kinds`` None hears everything. ``name`` is the cursor's."""

    engine: Engine
    name: str
    kinds: Collection[str] | None
    handle: Handler
    _term: Term | None = None
    _place: str = ""
    _stored: str = ""
    _stored_at: float = 0.0
    _failures: int = 0

    async def run(self) -> None:
        """Follow until cancelled."""
        with self.engine.wakeups.noticing() as noticed:
            while True:
                noticed.clear()
                if delay := await self._turn():
                    await self._rest(noticed, delay)
                    continue
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(self.engine.patience.sweep_interval):
                        await noticed.wait()
                await asyncio.sleep(BREATH)

    async def _rest(self, noticed: asyncio.Event, delay: float) -> None:
        """Leave a failing handler alone for so long, unless somebody asks that it be tried again, or have the event
        skipped: both are events themselves, heard on any replica, and forget that it is stuck."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(delay):
                while not await self._is_freed(noticed):
                    pass
            self._failures = 0
        self._term = None

    async def _is_freed(self, noticed: asyncio.Event) -> bool:
        """Wait for news, and say whether the trouble that was noted is forgotten."""
        await noticed.wait()
        await asyncio.sleep(BREATH)
        noticed.clear()
        with contextlib.suppress(PlumberError):
            rows = await self.engine.store.list_cursors()
            return any(row.name == self.name and row.failing_since is None for row in rows)
        return False

    async def _turn(self) -> float:
        """Take what there is while this replica leads; return for how many seconds to leave a failing handler alone."""
        try:
            while (term := self.engine.term) is not None:
                if term != self._term:
                    self._place = self._stored = await self.engine.store.begin_cursor(self.name)
                    self._term = term
                if await self._page(term):
                    break
        except _Stuck as stuck:
            return await self._note(stuck)
        except Exception as error:
            self._term = None
            said(f"following events for {self.name}", error)
        return 0.0

    async def _page(self, term: Term) -> bool:
        """Take one page; say whether it was the last for now."""
        page = await self.engine.store.events_of(self._place, self.kinds, PAGE)
        done, drafts = self._place, list[NewDelivery]()
        try:
            for row in page.rows:
                drafts += await self._take(row, page)
                done = row.cursor
        except _Stuck:
            await self._move(term, done, drafts)
            raise
        self._failures = 0
        if page.rows or monotonic() - self._stored_at > STORE_PLACE_EVERY:
            await self._move(term, page.end, drafts)
        self._place = page.end
        return page.whole

    async def _take(self, row: EventRow, page: EventPage) -> list[NewDelivery]:
        try:
            async with asyncio.timeout(PATIENCE):
                return await self.handle(row, page.now)
        except PlumberError:
            raise
        except Exception as error:
            raise _Stuck(row, error) from error

    async def _move(self, term: Term, place: str, drafts: list[NewDelivery]) -> None:
        if place == self._stored:
            return
        if not await self.engine.store.move_cursor(term, self.name, self._stored, place, drafts):
            self._term = None
            return
        self._place = self._stored = place
        self._stored_at = monotonic()
        if drafts:
            self.engine.outbox.set()

    async def _note(self, stuck: _Stuck) -> float:
        self._failures += 1
        self.engine.counts["plumber_event_handlers_failed_total"] += 1
        log.error("%s cannot take event %s", self.name, stuck.row.cursor, exc_info=stuck.error)
        with contextlib.suppress(PlumberError):
            if self._term is not None:
                error = f"{type(stuck.error).__name__}: {stuck.error}"[:1000]
                await self.engine.store.cursor_stuck(self._term, self.name, error)
        return min(RETRY_MOST, RETRY_FIRST * 2.0 ** min(self._failures - 1, 20))


class _Stuck(Exception):
    """A handler failed at an event."""

    def __init__(self, row: EventRow, error: Exception) -> None:
        super().__init__(row.cursor)
        self.row, self.error = row, error
