"""Many who follow the same: one reading serves them all, and whoever is slower misses nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from typing import Any

import pytest

from plumber_core.app import Plumber
from plumber_core.engine import event_tail
from plumber_core.engine.events import feed
from plumber_core.errors import Unavailable
from plumber_core.model.views import Event, Position

FOLLOWERS = 50


class Reads:
    """Between the engine and its store: counts readings of the event log, and lets them fail or wait."""

    def __init__(self, plumber: Plumber, monkeypatch: pytest.MonkeyPatch) -> None:
        self._read = plumber._store.events_after
        self.count = 0
        self.away = False
        self.gate = asyncio.Event()
        self.gate.set()
        self.begun = asyncio.Event()
        monkeypatch.setattr(plumber._store, "events_after", self.events_after)

    async def events_after(self, *arguments: Any) -> Any:
        self.count += 1
        self.begun.set()
        await self.gate.wait()
        if self.away:
            raise Unavailable(reason="the database is away")
        return await self._read(*arguments)


@pytest.fixture
def reads(plumber: Plumber, monkeypatch: pytest.MonkeyPatch) -> Reads:
    return Reads(plumber, monkeypatch)


async def tell(plumber: Plumber, *numbers: int, execution: str | None = "x") -> None:
    """Commit events that say their numbers, then give the hint."""
    for number in numbers:
        await plumber._store.add_event("test", execution, None, {"number": number})
    plumber._engine.wakeups.changed(execution)


async def heard(items: AsyncGenerator[Any, None], count: int) -> list[int]:
    """Return the numbers of so many events."""
    found: list[int] = []
    while len(found) < count:
        found += [item.data["number"] for item in await anext(items) if isinstance(item, Event)]
    return found


@pytest.fixture
async def follow(plumber: Plumber) -> Any:
    """A function that begins to follow an execution, or all."""
    async with AsyncExitStack() as stack:

        async def begin(execution: str | None = "x", after: str | None = None) -> AsyncGenerator[Any, None]:
            items = await stack.enter_async_context(aclosing(feed(plumber._engine, execution, after)))
            await anext(items)
            return items

        yield begin


async def test_a_commit_is_read_once_for_all_who_follow(
    plumber: Plumber, reads: Reads, follow: Callable[..., Any]
) -> None:
    followers = [await follow() for _ in range(FOLLOWERS)]
    listening = [asyncio.create_task(heard(items, 3)) for items in followers]
    before = reads.count
    await tell(plumber, 1, 2)
    await tell(plumber, 3)
    assert await asyncio.gather(*listening) == [[1, 2, 3]] * FOLLOWERS
    assert reads.count - before <= 4


async def test_events_of_others_are_no_followers_business(plumber: Plumber, follow: Callable[..., Any]) -> None:
    mine, everything = await follow("x"), await follow(None)
    await tell(plumber, 1, execution="y")
    await tell(plumber, 2, execution="x")
    assert await heard(everything, 2) == [1, 2]
    assert await heard(mine, 1) == [2]


async def test_a_follower_that_fell_far_behind_reads_for_itself_and_misses_nothing(
    plumber: Plumber, reads: Reads, follow: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(event_tail, "PAGE", 5)
    monkeypatch.setattr(event_tail, "KEPT", 10)
    monkeypatch.setattr(event_tail, "AT_ONCE", 3)
    slow, fast = await follow(), await follow()
    for number in range(0, 40, 2):
        await tell(plumber, number, number + 1)
        assert await heard(fast, 2) == [number, number + 1]
    assert await heard(slow, 40) == list(range(40))
    await tell(plumber, 40)
    before = reads.count
    assert await heard(slow, 1) == await heard(fast, 1) == [40]
    assert reads.count - before == 1


async def test_who_comes_with_a_cursor_hears_what_followed_it_and_who_comes_without_nothing_old(
    plumber: Plumber, follow: Callable[..., Any]
) -> None:
    first = await follow()
    await tell(plumber, 1, 2)
    [one, _] = [item for item in await anext(first) if isinstance(item, Event)]
    for after, old in ((one.id, [2]), ("0.0", [1, 2]), (None, [])):
        async with aclosing(feed(plumber._engine, "x", after)) as items:
            begin = await anext(items)
            assert [item.data["number"] for item in begin if isinstance(item, Event)] == old
            if after is not None:
                assert begin[0] == Position(cursor=after)


async def test_whoever_reads_may_go_without_the_others_missing_anything(
    plumber: Plumber, reads: Reads, follow: Callable[..., Any]
) -> None:
    reader, other = await follow(), await follow()
    reads.gate.clear()
    reads.begun.clear()
    await tell(plumber, 1)
    reading = asyncio.create_task(heard(reader, 1))
    await reads.begun.wait()
    listening = asyncio.create_task(heard(other, 1))
    reading.cancel()
    await asyncio.wait({reading})
    reads.gate.set()
    assert await listening == [1]


async def test_what_is_committed_while_somebody_reads_is_read_too(
    plumber: Plumber, reads: Reads, follow: Callable[..., Any]
) -> None:
    items = await follow()
    await tell(plumber, 1)
    reads.gate.clear()
    reads.begun.clear()
    listening = asyncio.create_task(heard(items, 2))
    await reads.begun.wait()
    await tell(plumber, 2)
    reads.gate.set()
    assert await listening == [1, 2]


async def test_without_the_database_all_are_told_and_may_come_again(
    plumber: Plumber, reads: Reads, follow: Callable[..., Any]
) -> None:
    followers = [await follow() for _ in range(3)]
    reads.away = True
    await tell(plumber, 1)
    told = await asyncio.gather(*(heard(items, 1) for items in followers), return_exceptions=True)
    assert [type(error) for error in told] == [Unavailable] * 3
    reads.away = False
    again = await follow(after="0.0")
    await tell(plumber, 2)
    assert await heard(again, 1) == [2]
