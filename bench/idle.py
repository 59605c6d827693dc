"""What a fleet costs that has nothing to do: agents that only greet and renew, over the agents' own WebSocket."""

from __future__ import annotations

import asyncio
import contextlib
import os
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
from plumber_core.protocol.messages import Hello, Renew

SIZES = (10, 100)
LONG = 30.0


async def measure_idle(report: Report, system: PlumberSystem, _: Stamps) -> None:
    """Watch fleets of several sizes do nothing."""
    for size in SIZES:
        async with _fleet(system, size):
            await _watch(report, system, size)


async def _watch(report: Report, system: PlumberSystem, size: int) -> None:
    await tidy(system.database_url)
    server = psutil.Process(system.server.pid)
    before, used = await work_done(system.database_url), sum(server.cpu_times()[:2])
    await asyncio.sleep(LONG)
    done = (await work_done(system.database_url)).since(before)
    share = (sum(server.cpu_times()[:2]) - used) / done.at * 100
    told = f"server: {share:.1f} % of a core, {resident(system.server.pid):.0f} MB"
    report.row(Row(f"idle, {size} agents", done.transactions / done.at, "transactions/s", budget=1, remark=told))


@contextlib.asynccontextmanager
async def _fleet(system: PlumberSystem, size: int) -> AsyncIterator[None]:
    """Run agents in a process of their own, so that their work is not in anybody's numbers."""
    connected = await system.counter("plumber_agents_connected") + size
    tokens = [(await system.add_agent(f"idle-{size}-{number}"))[1] for number in range(size)]
    tokens_file = system.processes.folder / f"tokens-{size}"
    tokens_file.write_text("\n".join(tokens))
    command = [sys.executable, "-m", "bench.idle", str(system.port), str(tokens_file)]
    process = system.processes.start(f"fleet-{size}", command, PYTHONPATH=os.pathsep.join(sys.path))
    await system.count_to("plumber_agents_connected", connected, 15)
    try:
        yield
    finally:
        process.kill()
        await asyncio.sleep(1)


async def _live(port: int, token: str) -> None:
    """Greet, then renew for ever."""
    peer = await WsPeer.connect(ServerAddress.parse(f"http://127.0.0.1:{port}"), token)
    greeting = Hello(1, secrets.token_hex(8), "boot", None, "bench")
    welcome = await peer.hello(greeting)
    if welcome.status == "epoch":
        welcome = await peer.hello(Hello(2, secrets.token_hex(8), "boot", welcome.epoch, "bench"))
    beat = 0
    while True:
        beat += 1
        renewed = await peer.renew(Renew(welcome.session, beat, welcome.epoch))
        await asyncio.sleep(renewed.heartbeat)


async def _live_all(port: int, tokens: list[str]) -> None:
    await asyncio.gather(*(_live(port, token) for token in tokens))


if __name__ == "__main__":
    with open(sys.argv[2]) as file:  # noqa: PTH123
        asyncio.run(_live_all(int(sys.argv[1]), file.read().split()))
