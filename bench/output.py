"""A command that prints 100 MB: how long until all of it is durable at the server, and what memory it takes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from pathlib import Path

from bench.memory import forget_peak, peak, resident
from bench.plumber_side import LOUD, LOUD_BYTES, PlumberSystem
from bench.raw_http import RawHttp
from bench.report import Report, Row
from bench.stamps import Stamps
from bench.stats import median

ROUNDS = 3
_READ = 256 * 1024
_STORED = "plumber_log_bytes_total"


async def measure_output(report: Report, system: PlumberSystem, _: Stamps) -> None:
    """Alternate between Plumber and a bare pipe into a file; compare every byte."""
    agent = system.agents["one"]
    watched = {"server": system.server.pid, "link": agent.process.pid, "supervisor": agent.supervisor().pid}
    before = {name: resident(pid) for name, pid in watched.items()}
    for pid in watched.values():
        forget_peak(pid)
    ours, limits, exact = [], [], True
    for _round in range(ROUNDS):
        limits.append(await _pipe_to_file(system.processes.folder / "limit"))
        seconds, attempt = await _run(system)
        ours.append(seconds)
        exact = await _is_exact(system, attempt) and exact
    growth = {name: peak(pid) - before[name] for name, pid in watched.items()}
    report.line(metric="100 MB", rounds=ours, limit=limits, exact=exact, growth=growth)
    remark = "every byte there" if exact else "BYTES ARE MISSING OR WRONG"
    report.row(Row("100 MB, pipe to file", median(limits), "s"))
    report.row(Row("100 MB stored", median(ours), "s", median(ours) / median(limits), 3, remark=remark))
    report.row(Row("100 MB: growth of the server", growth["server"], "MB", budget=32))
    report.row(Row("100 MB: growth of the agent", growth["link"] + growth["supervisor"], "MB", budget=16))


async def _run(system: PlumberSystem) -> tuple[float, str]:
    """Return the seconds from the trigger until outcome and every byte are durable at the server, and the attempt."""
    stored = await system.counter(_STORED)
    began = time.monotonic()
    execution = (await system.call("task.run", task="loud"))["id"]
    await system.count_to(_STORED, stored + LOUD_BYTES, 300)
    attempt = await _whole(system, execution)
    return time.monotonic() - began, attempt


async def _whole(system: PlumberSystem, execution: str) -> str:
    """Wait until the server says that the only attempt's log is complete; return the attempt's id."""
    while True:
        [step] = (await system.call("execution.show", execution=execution))["steps"]
        if step["attempts"] and step["attempts"][0]["log_complete"]:
            return str(step["attempts"][0]["id"])
        await asyncio.sleep(0.01)


async def _is_exact(system: PlumberSystem, attempt: str) -> bool:
    """Fetch the bytes from the server and compare them with what the command prints."""
    piece = (b"x" * 99 + b"\n") * 10_000
    expected, found = hashlib.sha256(), hashlib.sha256()
    for _ in range(LOUD_BYTES // len(piece)):
        expected.update(piece)
    http: RawHttp = system.http
    async for data in http.download(f"/logs/{attempt}?format=raw&stream=stdout"):
        found.update(data)
    return expected.digest() == found.digest()


async def _pipe_to_file(path: Path) -> float:
    """Return the seconds in which one asyncio process moves the output from a pipe into a durable file."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_shell(LOUD, stdout=asyncio.subprocess.PIPE, limit=2 * _READ)
    assert process.stdout is not None
    with path.open("wb", buffering=0) as file:
        while data := await process.stdout.read(_READ):
            file.write(data)
        os.fsync(file.fileno())
    await process.wait()
    return time.monotonic() - began
