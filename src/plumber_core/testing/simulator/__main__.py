"""``python -m plumber_core.testing.simulator 1..300``: try seeds, say which fail and why, and how long it took."""

from __future__ import annotations

import argparse
import dataclasses
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from plumber_core.testing.simulator.faults import KINDS
from plumber_core.testing.simulator.seeds import Result, shrink, try_seeds
from plumber_core.testing.simulator.simulation import Plan

FAILURES_SHOWN = 20
_USUAL = Plan(0)


def main() -> int:
    """Try the seeds; the exit code says whether any failed."""
    if os.environ.get("PYTHONHASHSEED") != "0":
        # The order of sets of texts is a part of what a seed has to repeat.
        arguments = [sys.executable, "-m", "plumber_core.testing.simulator", *sys.argv[1:]]
        os.execve(sys.executable, arguments, os.environ | {"PYTHONHASHSEED": "0"})
    options = _options()
    began, results = time.monotonic(), []
    plan = Plan(0, options.agents, options.executions, options.seconds, options.without, options.skip, options.often)
    for result in try_seeds(options.seeds, options.jobs, plan):
        results.append(result)
        if options.trace:
            _say(f"trace {result.seed} {result.trace}\n")
        if result.broken and sum(bool(r.broken) for r in results) <= FAILURES_SHOWN:
            _say(f"seed {result.seed} at {commit()}: {result.broken} {result.seen}\n")
        if result.broken and options.first:
            break
    line = summary(options.seeds, results, time.monotonic() - began)
    _say(line + "\n")
    if options.results:
        options.results.parent.mkdir(parents=True, exist_ok=True)
        with options.results.open("a") as file:
            file.write(line + "\n")
    failed = sorted((result for result in results if result.broken), key=lambda result: result.seed)
    if failed and options.shrink:
        smallest = shrink(dataclasses.replace(plan, seed=failed[0].seed), failed[0].broken or "")
        _say(f"the smallest that fails as seed {smallest.seed} does: {smallest.arguments()}\n")
    return int(bool(failed))


def _say(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m plumber_core.testing.simulator", description=__doc__)
    parser.add_argument("seeds", type=_range, help="such as 1..300, or numbers: 4711,4712")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (as many as processors)")
    parser.add_argument("--without", type=_kinds, default=frozenset(), help=f"leave out: {', '.join(KINDS)}")
    parser.add_argument("--agents", type=int, default=_USUAL.agents)
    parser.add_argument("--executions", type=int, default=_USUAL.executions)
    parser.add_argument("--seconds", type=float, default=_USUAL.seconds, help="virtual, until everything heals")
    parser.add_argument("--often", type=_kinds, default=frozenset(), help="kinds with their highest rates")
    parser.add_argument("--skip", type=_numbers, default=frozenset(), help="executions to leave out, from 0")
    parser.add_argument("--results", type=Path, help="a file that gets one line more")
    parser.add_argument("--shrink", action="store_true", help="make the first failure smaller")
    parser.add_argument("--first", action="store_true", help="stop at the first failure")
    parser.add_argument("--trace", action="store_true", help="print a digest of each seed's history")
    return parser.parse_args()


def _range(text: str) -> Sequence[int]:
    first, dots, last = text.partition("..")
    return range(int(first), int(last) + 1) if dots else [int(number) for number in text.split(",")]


def _numbers(text: str) -> frozenset[int]:
    return frozenset(map(int, text.split(",")))


def _kinds(text: str) -> frozenset[str]:
    return frozenset(filter(None, text.split(",")))


def summary(seeds: Sequence[int], results: list[Result], seconds: float) -> str:
    """Return the line for the record, its columns apart by tabs."""
    broken = Counter(result.broken for result in results if result.broken)
    columns = (
        f"{seeds[0]}..{seeds[-1]}",
        commit(),
        f"{len(results)} seeds",
        f"{sum(broken.values())} failed {dict(broken) if broken else ''}".strip(),
        f"{seconds:.0f} s",
        f"{sum(result.seconds for result in results):.0f} processor s",
        f"{sum(result.commands for result in results)} commands",
        f"{sum(result.turns for result in results)} turns",
        f"{sum(result.virtual for result in results):.0f} virtual s",
    )
    return "\t".join(columns)


def commit() -> str:
    """Return the commit that is tried, with a + when files differ from it."""
    try:
        text = subprocess.run(
            ["git", "describe", "--always", "--dirty=+"], capture_output=True, text=True, check=True
        ).stdout
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return text.strip()


if __name__ == "__main__":
    raise SystemExit(main())
