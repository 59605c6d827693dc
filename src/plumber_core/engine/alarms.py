"""Looking again after a delay: for what the sweep would find too, only later."""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Awaitable, Callable

from plumber_core.engine.clock import monotonic
from plumber_core.engine.core import Engine
from plumber_core.errors import PlumberError

NEAR = 60.0
"""What is due within this many seconds has an alarm of its own; for what comes later the sweep is exact enough."""
GRAIN = 0.1
"""Alarms within this many seconds of each other are one."""
Look = Callable[[Engine], Awaitable[None]]


def set_alarm(engine: Engine, alarms: set[int], delay: float, look: Look, name: str) -> None:
    """Have somebody ``look`` after a delay, in seconds. A lost alarm costs nothing: the sweep looks too.

    ``alarms`` are those of this kind that are set, in grains of the loop's clock; ``name`` is the task's.
    """
    slot = math.ceil((monotonic() + delay) / GRAIN)
    if delay <= NEAR and slot not in alarms:
        alarms.add(slot)
        engine.spawn(_wait(engine, alarms, slot, look), name)


async def _wait(engine: Engine, alarms: set[int], slot: int, look: Look) -> None:
    try:
        await asyncio.sleep(slot * GRAIN - monotonic() + GRAIN)
    finally:
        alarms.discard(slot)
    with contextlib.suppress(PlumberError):
        await look(engine)
