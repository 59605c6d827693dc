"""Followers: a wake-up that comes together with the end of the following must not keep it alive."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from plumber_core.engine.event_tail import EventTail
from plumber_core.engine.wakeups import Subscription


def _follower() -> Subscription:
    store: Any = None
    return Subscription(None, EventTail(store, None))


async def _turns(count: int) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(6))
async def test_a_cancelled_wait_ends_although_it_is_woken_at_that_moment(turns: int) -> None:
    # A follower that swallowed its cancellation hung `plumber run` after the last event.
    subscription = _follower()
    waiting = asyncio.create_task(subscription.wait(60))
    await _turns(5)
    subscription.wake()
    await _turns(turns)
    ended_by_itself = waiting.done()
    waiting.cancel()
    await asyncio.wait({waiting}, timeout=10)
    assert waiting.cancelled() or ended_by_itself


async def test_a_wait_ends_by_a_wake_up_and_by_its_limit() -> None:
    subscription = _follower()
    subscription.wake()
    await subscription.wait(60)
    await subscription.wait(0.001)
