"""``python -m bench.run``: measure everything, or the topics that are named."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench import floor, latency, machine, plumber_side
from bench.history import measure_history
from bench.idle import measure_fleet
from bench.page import measure_page
from bench.report import Report, Row
from bench.stamps import Stamps
from bench.topics import TOPICS
from support.postgres import Server, fresh_database, running_server
from support.processes import Processes

APART = ("latency", "history", "fleet", "page")
"""Topics with servers or databases of their own."""
_BUDGETS = {"dispatch": 1.6, "ten steps": 1.8, "ten steps over two agents": 1.5}


def main() -> None:
    """Measure; the exit code says only whether everything worked."""
    options = _options()
    report = Report(options.out)
    options.out.write_text("")
    with tempfile.TemporaryDirectory(prefix="plumber-bench-") as folder:
        processes = Processes(Path(folder))
        try:
            with running_server(durable=True) as server:
                asyncio.run(_measure(options, report, processes, server))
        except BaseException:
            for name, text in processes.logs():
                sys.stderr.write(f"---- {name}\n{text}\n")
            raise
        finally:
            processes.close()
    sys.stdout.write(report.table())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser("python -m bench.run", description=__doc__)
    parser.add_argument("topics", nargs="*", choices=[*APART, *TOPICS, []], help="what to measure; all by default")
    parser.add_argument("--rounds", type=int, default=3, help="times that each side has its turn")
    parser.add_argument("--count", type=int, default=60, help="dispatches in a round")
    parser.add_argument("--finished", type=int, default=1_000_000, help="executions in the history that work is beside")
    parser.add_argument("--without-sqlite", action="store_true")
    parser.add_argument("--out", type=Path, default=Path("build/bench.jsonl"), help="JSON lines of all measurements")
    options = parser.parse_args()
    options.topics = options.topics or [*APART, *TOPICS]
    options.out.parent.mkdir(parents=True, exist_ok=True)
    return options


async def _measure(options: argparse.Namespace, report: Report, processes: Processes, server: Server) -> None:
    with contextlib.ExitStack() as stack:
        urls = [stack.enter_context(fresh_database(server)) for _ in range(6)]
        stamps = Stamps(processes.folder)
        report.line(**machine.describe(urls[0]), stamp=stamps.kind)
        report.say(f"starting; stamps are made by {stamps.kind}")
        postgres = await plumber_side.start("plumber", processes, urls[0], stamps)
        for topic, measure in TOPICS.items():
            if topic in options.topics:
                report.say(topic)
                await measure(report, postgres, stamps)
        if "latency" in options.topics:
            await _latency(options, report, processes, urls[1], stamps, postgres)
        if "history" in options.topics:
            report.say("history")
            await measure_history(report, urls[3], urls[4], options.finished)
        # Servers of their own: ten thousand agents or hosts would weigh on everything else.
        if "fleet" in options.topics:
            report.say("fleet")
            await measure_fleet(report, await plumber_side.start("fleet", processes, urls[5], stamps, hosts=()))
        if "page" in options.topics:
            await measure_page(report, await plumber_side.start("page", processes, urls[2], stamps, hosts=()))


async def _latency(
    options: argparse.Namespace,
    report: Report,
    processes: Processes,
    floor_url: str,
    stamps: Stamps,
    postgres: plumber_side.PlumberSystem,
) -> None:
    report.say("latency")
    systems: list[latency.System] = [await floor.start(processes, floor_url, stamps), postgres]
    if not options.without_sqlite:
        sqlite = f"sqlite:///{processes.folder}/plumber.db"
        systems.append(await plumber_side.start("plumber-sqlite", processes, sqlite, stamps))
    await latency.measure(systems, stamps, report, rounds=options.rounds, count=options.count)
    for metric, budget in _BUDGETS.items():
        _compare(report, [system.name for system in systems], metric, budget)


def _compare(report: Report, systems: Sequence[str], metric: str, budget: float) -> None:
    for system in systems:
        values = {percent: report.middle(system, metric, percent) for percent in (50, 95, 99)}
        tail = f"p95 {values[95]:.3g}, p99 {values[99]:.3g}"
        if system == "floor":
            report.row(Row(f"{metric}, {system}", values[50], "ms", remark=tail))
            continue
        ratio = values[50] / report.middle("floor", metric)
        report.row(Row(f"{metric}, {system}", values[50], "ms", ratio, budget, remark=tail))


if __name__ == "__main__":
    main()
