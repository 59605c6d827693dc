"""What a fleet costs that has nothing to do: agents that only greet and renew, over the agents' own WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import secrets
import sys
from collections.abc import AsyncIterator

import psutil

from bench.database import tidy, work_done
from bench.memory import resident
from bench.plumber_side import PlumberSystem
from bench.report import Report, Row
from bench.stamps import Stamps
from plumber_agent.address import ServerAddress
from plumber_agent.ws_peer import WsPeer
from plumber_core.protocol.messages import Hello, Renew, Welcome
from plumber_core.protocol.peer import Disconnected

SIZES = (10, 100, 1000)
FLEET = 10_000
"""Agents on one server; each side of each connection needs a descriptor."""
LONG = 30.0
AT_ONCE = 16
"""Agents that connect at a time."""
SHARE = 3.0
"""Of a core, in percent, for the largest fleet."""


async def measure_idle(report: Report, system: PlumberSystem, _: Stamps) -> None:
    """Watch fleets of several sizes do nothing."""
    for size in SIZES:
        async with _fleet(system, size):
            await _watch(report, system, size)


async def measure_fleet(report: Report, system: PlumberSystem) -> None:
    """Watch the largest fleet do nothing."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] - 500
    async with _fleet(system, min(FLEET, most)):
        await asyncio.sleep(LONG)  # until every agent has been told how seldom to renew
        await _watch(report, system, min(FLEET, most), SHARE)


async def _watch(report: Report, system: PlumberSystem, size: int, budget: float | None = None) -> None:
    await tidy(system.database_url)
    server = psutil.Process(system.server.pid)
    before, used = await work_done(system.database_url), sum(server.cpu_times()[:2])
    await asyncio.sleep(LONG)
    done = (await work_done(system.database_url)).since(before)
    share = (sum(server.cpu_times()[:2]) - used) / done.at * 100
    report.row(Row(f"idle, {size} agents", done.transactions / done.at, "transactions/s", budget=1))
    memory = f"{resident(system.server.pid):.0f} MB"
    report.row(Row(f"idle, {size} agents: server", share, "% of a core", budget=budget, remark=memory))


@contextlib.asynccontextmanager
async def _fleet(system: PlumberSystem, size: int) -> AsyncIterator[None]:
    """Run agents in a process of their own, so that their work is not in anybody's numbers."""
    connected = await system.counter("plumber_agents_connected") + size
    tokens = [(await system.add_agent(f"idle-{size}-{number}"))[1] for number in range(size)]
    tokens_file = system.processes.folder / f"tokens-{size}"
    tokens_file.write_text("\n".join(tokens))
    command = [sys.executable, "-m", "bench.idle", str(system.port), str(tokens_file)]
    process = system.processes.start(f"fleet-{size}", command, PYTHONPATH=os.pathsep.join(sys.path))
    await system.count_to("plumber_agents_connected", connected, 30 + size / 10)
    try:
        yield
    finally:
        process.kill()
        await asyncio.sleep(1)


async def _live(port: int, token: str, turn: asyncio.Semaphore) -> None:
    """Greet, then renew for ever."""
    async with turn:
        peer, welcome = await _greet(port, token)
    beat = 0
    while True:
        beat += 1
        renewed = await peer.renew(Renew(welcome.session, beat, welcome.epoch))
        # As real agents: those that greeted together do not renew together for ever.
        await asyncio.sleep(renewed.heartbeat * (random.uniform(0.5, 1.0) if beat == 1 else 1.0))


async def _greet(port: int, token: str) -> tuple[WsPeer, Welcome]:
    """Connect and open a session; a server that is too busy is tried again, as real agents do."""
    while True:
        try:
            peer = await WsPeer.connect(ServerAddress.parse(f"http://127.0.0.1:{port}"), token)
            break
        except Disconnected:
            await asyncio.sleep(1)
    welcome = await peer.hello(Hello(1, secrets.token_hex(8), "boot", None, "bench"))
    if welcome.status == "epoch":
        welcome = await peer.hello(Hello(2, secrets.token_hex(8), "boot", welcome.epoch, "bench"))
    return peer, welcome


async def _live_all(port: int, tokens: list[str]) -> None:
    turn = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(_live(port, token, turn) for token in tokens))


if __name__ == "__main__":
    with open(sys.argv[2]) as file:  # noqa: PTH123
        asyncio.run(_live_all(int(sys.argv[1]), file.read().split()))
