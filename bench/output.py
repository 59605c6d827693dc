"""A command that prints 100 MB: how long until all of it is durable at the server, and what memory it takes."""

from __future__ import annotations

import asyncio
import hashlib
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.memory import forget_peak, peak, resident
from bench.plumber_side import LOUD, LOUD_BYTES, PlumberSystem
from bench.raw_http import RawHttp
from bench.report import Report, Row
from bench.stamps import Stamps
from bench.stats import median

ROUNDS = 3
_READ = 256 * 1024
_STORED = "plumber_log_bytes_total"


@dataclass
class Seen:
    """Seconds until everything was durable at the server, and until it had compared it with the agent's digest."""

    stored: float
    verified: float
    exact: bool


async def measure_output(report: Report, system: PlumberSystem, _: Stamps) -> None:
    """Alternate between Plumber and a bare pipe into a file; compare every byte."""
    agent = system.agents["one"]
    watched = {"server": system.server.pid, "link": agent.process.pid, "supervisor": agent.supervisor().pid}
    before = {name: resident(pid) for name, pid in watched.items()}
    for pid in watched.values():
        forget_peak(pid)
    ours: list[Seen] = []
    limits = []
    for _round in range(ROUNDS):
        limits.append(await _pipe_to_file(system.processes.folder / "limit"))
        ours.append(await _run(system))
    growth = {name: peak(pid) - before[name] for name, pid in watched.items()}
    report.line(metric="100 MB", rounds=[vars(seen) for seen in ours], limit=limits, growth=growth)
    _tell(report, ours, median(limits), growth)


def _tell(report: Report, ours: Sequence[Seen], limit: float, growth: dict[str, float]) -> None:
    remark = "every byte there" if all(seen.exact for seen in ours) else "BYTES ARE MISSING OR WRONG"
    stored, verified = (median([getattr(seen, name) for seen in ours]) for name in ("stored", "verified"))
    report.row(Row("100 MB, pipe to file", limit, "s"))
    report.row(Row("100 MB stored", stored, "s", stored / limit, 3, remark=remark))
    report.row(Row("100 MB verified", verified, "s", verified / limit, remark="read back and hashed by the server"))
    report.row(Row("100 MB: growth of the server", growth["server"], "MB", budget=32))
    report.row(Row("100 MB: growth of the agent", growth["link"] + growth["supervisor"], "MB", budget=16))


async def _run(system: PlumberSystem) -> Seen:
    stored = await system.counter(_STORED)
    began = time.monotonic()
    execution = (await system.call("task.run", task="loud"))["id"]
    await system.count_to(_STORED, stored + LOUD_BYTES, 300)
    attempt = await _attempt(system, execution, lambda attempt: attempt["state"] is not None)
    durable = time.monotonic() - began
    await _attempt(system, execution, lambda attempt: attempt["log_complete"])
    verified = time.monotonic() - began
    return Seen(durable, verified, await _is_exact(system, attempt))


async def _attempt(system: PlumberSystem, execution: str, reached: Callable[[dict[str, Any]], bool]) -> str:
    """Wait until the only attempt has come so far; return its id."""
    while True:
        [step] = (await system.call("execution.show", execution=execution))["steps"]
        found = [attempt for attempt in step["attempts"] if reached(attempt)]
        if found:
            return str(found[0]["id"])
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
