"""Follow the event log: what was committed, in order, without a gap or a repeat, then live."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator, Sequence

from plumber_core.engine.core import Engine
from plumber_core.model import limits
from plumber_core.model.event_place import cursor_of
from plumber_core.model.views import Event, LogGrowth, Position


async def follow(engine: Engine, execution: str | None, after: str | None) -> AsyncGenerator[Event | LogGrowth, None]:
    """Yield events after a cursor, then live ones and hints of grown logs, until this replica stops."""
    async with contextlib.aclosing(feed(engine, execution, after)) as found:
        async for items in found:
            for item in items:
                if not isinstance(item, Position):
                    yield item


async def feed(
    engine: Engine, execution: str | None, after: str | None
) -> AsyncGenerator[Sequence[Position | Event | LogGrowth], None]:
    """Yield the position from which it goes on, then what ``follow`` yields, as many at once as there are.

    Raises: InvalidRequest (``after`` is no cursor), before anything is yielded.
    """
    subscription = engine.wakeups.subscribe(execution)
    tail = subscription.tail
    try:
        place = await tail.join(after)
        begin = Position(cursor=cursor_of(place))
        events, place = await tail.take(place)
        yield [begin, *events]
        while True:
            if not events:
                growth = subscription.take_growth()
                if growth:
                    yield growth
                if subscription.ended:
                    return
                await subscription.wait(limits.SWEEP_INTERVAL)
            events, place = await tail.take(place)
            if events:
                yield events
    finally:
        engine.wakeups.unsubscribe(subscription)
