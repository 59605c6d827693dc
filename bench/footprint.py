"""What an idle agent weighs, and how soon it is ready."""

from __future__ import annotations

import asyncio
import sys
import time

from bench.memory import resident
from bench.plumber_side import AgentProgram, PlumberSystem
from bench.report import Report, Row
from bench.stamps import Stamps
from bench.stats import median
from support.waiting import wait_until

STARTS = 5
_CONNECTED = "Connected as"


async def measure_agent(report: Report, system: PlumberSystem, _: Stamps) -> None:
    """Weigh an agent that has worked and rests now; start it several times."""
    agent = await system.start_agent("weighed")
    await asyncio.sleep(3)
    link, supervisor = resident(agent.process.pid), resident(agent.supervisor().pid)
    report.row(Row("link, idle", link, "MB", budget=32))
    report.row(Row("supervisor, idle", supervisor, "MB", budget=14))
    times, bare = [], []
    for _round in range(STARTS):
        bare.append(await _bare_start())
        times.append(await _start(system, agent))
    note = f"python -c 'import asyncio, ssl': {median(bare):.2f} s"
    report.row(Row("agent, start to connected", median(times), "s", budget=0.3, remark=note))


async def _start(system: PlumberSystem, agent: AgentProgram) -> float:
    """Start link and supervisor from nothing; return the seconds until the server has it."""
    supervisor = agent.supervisor()
    agent.process.stop()
    supervisor.terminate()
    await wait_until(lambda: not supervisor.is_running(), 10, "the supervisor to leave")
    told = agent.process.output().count(_CONNECTED)
    began = time.monotonic()
    agent.process = system.processes.start(f"{system.name}-{agent.name}", agent.command)
    while agent.process.output().count(_CONNECTED) == told:
        await asyncio.sleep(0.002)
    return time.monotonic() - began


async def _bare_start() -> float:
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(sys.executable, "-I", "-c", "import asyncio, ssl")
    await process.wait()
    return time.monotonic() - began
