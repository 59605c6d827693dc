"""The floor: what a durable, server-mediated dispatch costs when written by hand, without a framework."""

from __future__ import annotations

import os
import sys

import psycopg

from bench.floor_server import TABLE
from bench.raw_http import RawHttp
from bench.stamps import Stamps
from support.processes import Processes, free_port
from support.waiting import wait_until

_UVICORN = (
    *("--loop", "uvloop", "--http", "httptools", "--ws", "websockets-sansio"),
    *("--no-access-log", "--timeout-keep-alive", "600"),
)


class FloorSystem:
    """Implements ``latency.System`` by hand."""

    name = "floor"

    def __init__(self, http: RawHttp, stamps: Stamps) -> None:
        self._http, self._stamps = http, stamps

    async def dispatch(self, key: str) -> None:
        await self._post(1, 1, key)

    async def ten(self, key: str, agents: int) -> None:
        await self._post(11, agents, key)

    async def _post(self, left: int, agents: int, key: str) -> None:
        await self._http.request("/", f"{left} {agents} {self._stamps.command(key)}".encode())


async def start(processes: Processes, database_url: str, stamps: Stamps) -> FloorSystem:
    """Start the floor's server and two agents on an empty database."""
    with psycopg.connect(database_url) as connection:
        connection.execute(TABLE.encode())
    port = free_port()
    here = {"FLOOR_DATABASE": database_url, "PYTHONPATH": os.pathsep.join(sys.path)}
    server = [sys.executable, "-m", "uvicorn", "bench.floor_server:app", "--port", str(port), *_UVICORN]
    processes.start("floor-server", server, **here)
    await wait_until(lambda: _listens(port), 20, "the floor's server")
    for number in range(2):
        agent = [sys.executable, "-m", "bench.floor_agent", str(port), str(number)]
        processes.start(f"floor-agent-{number}", agent, **here).wait_for_output("connected")
    return FloorSystem(await RawHttp.connect(port), stamps)


async def _listens(port: int) -> bool:
    try:
        await (await RawHttp.connect(port)).close()
    except OSError:
        return False
    return True
