"""Follow the event log: what was committed, in order, without a gap or a repeat, then live."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime

from plumber_core.engine.core import Engine
from plumber_core.model import limits
from plumber_core.model.records import EventRow
from plumber_core.model.views import Event, LogGrowth, Position

PAGE = 500


def moment(microseconds: int) -> datetime:
    """Return a database time for people and programs."""
    return datetime.fromtimestamp(microseconds / 1_000_000, UTC)


async def follow(engine: Engine, execution: str | None, after: str | None) -> AsyncGenerator[Event | LogGrowth, None]:
    """Yield events after a cursor, then live ones and hints of grown logs, until this replica stops."""
    async with contextlib.aclosing(feed(engine, execution, after)) as items:
        async for item in items:
            if not isinstance(item, Position):
                yield item


async def feed(
    engine: Engine, execution: str | None, after: str | None
) -> AsyncGenerator[Position | Event | LogGrowth, None]:
    """Yield the position from which it goes on, then what ``follow`` yields.

    Raises: InvalidRequest (``after`` is no cursor), before anything is yielded.
    """
    subscription = engine.wakeups.subscribe(execution)
    try:
        cursor = after if after is not None else await engine.store.last_event()
        rows = await engine.store.events_after(cursor, execution, PAGE)
        yield Position(cursor=cursor)
        while True:
            while rows:
                for row in rows:
                    cursor = row.cursor
                    yield view(row)
                rows = await engine.store.events_after(cursor, execution, PAGE)
            for growth in subscription.take_growth():
                yield growth
            if subscription.ended:
                return
            await subscription.wait(limits.SWEEP_INTERVAL)
            rows = await engine.store.events_after(cursor, execution, PAGE)
    finally:
        engine.wakeups.unsubscribe(subscription)


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
