"""Steps a second when there is always more to do, beside what one process could spawn at all."""

from __future__ import annotations

import asyncio
import os
import time

from bench.plumber_side import HOSTS, PlumberSystem
from bench.report import Report, Row
from bench.stamps import Stamps
from bench.stats import median

ROUNDS = 3
EXECUTIONS = 20
"""Of ten steps each, on each of two agents."""
SPAWNS, AT_ONCE = 400, 8
_ENDED = "plumber_steps_succeeded_total"


async def measure_throughput(report: Report, system: PlumberSystem, _: Stamps) -> None:
    """Alternate between Plumber and the bare spawns."""
    ours, limits = [], []
    for _round in range(ROUNDS):
        limits.append(await spawn_rate())
        ours.append(await _step_rate(system))
    report.line(metric="steps per second", rounds=ours, limit=limits)
    report.row(Row("spawns, one asyncio process, 8 at once", median(limits), "/s"))
    ratio = median(ours) / median(limits)
    report.row(Row("spawned steps", median(ours), "/s", ratio, 0.55, at_least=True, remark="two agents"))


async def _step_rate(system: PlumberSystem) -> float:
    wanted = await system.counter(_ENDED) + EXECUTIONS * len(HOSTS) * 10
    began = time.monotonic()
    for _ in range(EXECUTIONS):
        for host in HOSTS:
            await system.call("task.run", task=f"work-{host}")
    await system.count_to(_ENDED, wanted)
    return EXECUTIONS * len(HOSTS) * 10 / (time.monotonic() - began)


async def spawn_rate() -> float:
    """Return how many ``/bin/true`` one asyncio process starts and reaps in a second."""
    left = iter(range(SPAWNS))
    began = time.monotonic()
    await asyncio.gather(*(_spawn_all(left) for _ in range(AT_ONCE)))
    return SPAWNS / (time.monotonic() - began)


async def _spawn_all(left: object) -> None:
    loop = asyncio.get_running_loop()
    for _ in left:  # type: ignore[attr-defined]
        pid = os.posix_spawn("/bin/true", ["true"], os.environ)
        fd = os.pidfd_open(pid)
        ended = loop.create_future()
        loop.add_reader(fd, ended.set_result, None)
        await ended
        loop.remove_reader(fd)
        os.close(fd)
        os.waitpid(pid, 0)
