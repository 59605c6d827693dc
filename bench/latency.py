"""From a trigger to the first instruction of what it starts: one step, ten steps, ten steps over two agents."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from bench.report import Report
from bench.stamps import Stamps, wall

GAP = 0.02
"""Seconds between two triggers: everything has come to rest, as it has when a person presses a button."""
_keys = itertools.count()


class System(Protocol):
    """What can be triggered; each call returns when the trigger was answered."""

    name: str

    async def dispatch(self, key: str) -> None:
        """Run one step, which stamps ``key``."""

    async def ten(self, key: str, agents: int) -> None:
        """Run ``true`` ten times, over one agent or two in turn, then a step that stamps ``key``."""


async def measure(systems: Sequence[System], stamps: Stamps, report: Report, *, rounds: int, count: int) -> None:
    """Take all systems in turn, ``rounds`` times."""
    for system in systems:
        await _warm(system, stamps)
    for number in range(rounds):
        for system in systems:
            times = [await run_once(stamps, system.dispatch) for _ in range(count)]
            report.round(system.name, "dispatch", number, times)
        for agents, metric in ((1, "ten steps"), (2, "ten steps over two agents")):
            for system in systems:
                times = [
                    await run_once(stamps, lambda key, s=system, n=agents: s.ten(key, n))
                    for _ in range(max(4, count // 8))
                ]
                report.round(system.name, metric, number, times)


async def _warm(system: System, stamps: Stamps) -> None:
    """Have statements prepared and caches filled: they are everywhere after the first minute."""
    for _ in range(15):
        await run_once(stamps, system.dispatch)
    for agents in (1, 2):
        for _ in range(3):
            await run_once(stamps, lambda key, s=system, n=agents: s.ten(key, n))


async def run_once(stamps: Stamps, trigger: Callable[[str], Awaitable[None]]) -> float:
    """Trigger something that has come to rest; return the seconds to its stamp.

    Raises: TimeoutError.
    """
    await asyncio.sleep(GAP)
    key = f"k{next(_keys)}"
    future = stamps.expect(key)
    began = wall()
    await trigger(key)
    return await stamps.since(began, key, future)
