"""Commits and messages on the path of a step: counts, so a busy machine does not matter."""

from __future__ import annotations

from bench.database import work_done
from bench.latency import run_once
from bench.plumber_side import PlumberSystem
from bench.report import Report, Row
from bench.stamps import Stamps

RUNS = 40
STEPS = 11
_MESSAGES, _ENDED = "plumber_agent_messages_total", "plumber_steps_succeeded_total"


async def count_path(report: Report, system: PlumberSystem, stamps: Stamps) -> None:
    """Run executions of eleven steps and count what they cost beyond what an idle fleet costs."""
    before = await work_done(system.database_url)
    idle_messages = await system.counter(_MESSAGES)
    rest = (await work_done(system.database_url)).since(before)
    heartbeats = (await system.counter(_MESSAGES) - idle_messages) / rest.at
    begun, messages, ended = await work_done(system.database_url), await system.counter(_MESSAGES), await _ended(system)
    for _ in range(RUNS):
        await run_once(stamps, lambda key: system.ten(key, 1))
    await system.count_to(_ENDED, ended + RUNS * STEPS)
    messages = await system.counter(_MESSAGES) - messages
    done = (await work_done(system.database_url)).since(begun)
    steps = RUNS * STEPS
    writes = done.writes - rest.writes / rest.at * done.at
    transactions = done.transactions - rest.transactions / rest.at * done.at
    took = done.at - 2 * 11.0
    report.row(Row("commits a step", writes / steps, "", budget=2, remark="the execution's own included"))
    report.row(Row("transactions a step, reads included", transactions / steps, ""))
    sent = (messages - heartbeats * max(0.0, took)) / steps
    pushed = 1 / STEPS
    report.row(Row("messages a step", sent + pushed, "", budget=2, remark="reports and the first assignment"))


async def _ended(system: PlumberSystem) -> float:
    return await system.counter(_ENDED)
