"""Run steps under a seeded killer, then check every promise: ``python -m chaos.run --steps 10000 --seed 7``.

The plan is kept beside the results; ``--plan FILE`` carries it out again. The exit code is 1 when a promise was broken.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx

from chaos import plan as plans
from chaos.killer import Killer
from chaos.plan import Blow
from chaos.world import World, opened
from support.history import History, read_history, rows, terminal_rows
from support.invariants import unchanged, violations
from support.programs import CallFailed
from support.waiting import wait_until_sync

OUTSTANDING = 60
"""Executions that run at the same time."""
LOOK_EVERY = 10.0
"""Seconds between two looks at the ended rows, which may never change."""
LIVENESS = 300.0
"""Seconds after healing within which everything must have ended."""


class Load:
    """Starts executions until they have ``steps`` steps in all, whatever becomes of servers meanwhile."""

    def __init__(self, world: World, steps: int, seed: int) -> None:
        self._world, self._wanted, self._random = world, steps, random.Random(seed)
        self.executions: list[str] = []
        self.steps = 0

    def done(self) -> bool:
        """Say whether enough was started."""
        return self.steps >= self._wanted

    def want_more(self, steps: int) -> None:
        """Go on although enough was started: something is still to happen meanwhile."""
        self._wanted = self.steps + steps

    def go_on(self) -> None:
        """Start what is missing to keep the agents busy."""
        running = self._running()
        while running is not None and running < OUTSTANDING and not self.done():
            if not self._start():
                return
            running += 1

    def _running(self) -> int | None:
        found = self._call("system.info")
        return int(found["executions_running"]) if found else None

    def _start(self) -> bool:
        task, steps = self._task()
        # The same request again is the same execution: an answer that was lost costs nothing.
        request = f"chaos-{len(self.executions)}"
        source = json.dumps(task)
        while (begun := self._call("execution.start", source=source, format="json", request_id=request)) is None:
            if not self._world.alive():
                return False
        self.executions.append(begun["id"])
        self.steps += steps
        return True

    def _task(self) -> tuple[dict[str, Any], int]:
        """Draw a task: a chain on one agent, or a few steps on all of them; some fail, and the rest goes on."""
        everywhere = self._random.random() < 0.3
        count = 2 if everywhere else 10
        steps = [{"name": f"s{number}", "on_failure": "continue", **self._step()} for number in range(count)]
        on = "all" if everywhere else f"name=a{self._random.randrange(plans.AGENTS)}"
        return {"name": "chaos", "on": on, "steps": steps}, count * (plans.AGENTS if everywhere else 1)

    def _step(self) -> dict[str, Any]:
        code = 3 if self._random.random() < 0.05 else 0
        return self._world.witness.step(code=code, seconds=self._random.choice((0, 0, 0, 0.05, 0.5)))

    def cancel_one(self) -> None:
        """Cancel one of the newest executions."""
        if self.executions:
            self._call("execution.cancel", execution=self.executions[-1])

    def _call(self, method: str, **params: Any) -> Any:
        """Ask any server; None when none answers now."""
        for server in self._world.alive():
            try:
                return server.call(method, **params)
            except (CallFailed, httpx.HTTPError) as error:
                if isinstance(error, CallFailed) and error.code not in ("unavailable", "conflict"):
                    raise
        return None


class Watch:
    """Looks at ended rows again and again; ``changes`` are those that did not stay as they were (I12)."""

    def __init__(self, url: str) -> None:
        self._url, self._next = url, 0.0
        self._seen: dict[str, Any] = {}
        self.changes: list[str] = []

    def look(self, *, now: bool = False) -> None:
        """Look if it is time, or ``now``."""
        if not now and time.monotonic() < self._next:
            return
        self._next = time.monotonic() + LOOK_EVERY
        try:
            found = terminal_rows(self._url)
        except Exception:
            if now:
                raise
            return
        self.changes += unchanged(self._seen, found)
        self._seen = found


def run(
    world: World, blows: list[Blow], steps: int, seed: int, *, minutes: float = 60.0, least_blows: int = 0
) -> tuple[History, dict[str, Any]]:
    """Carry everything out, for so many minutes at most, and return what happened, with figures.

    However fast the machine is, it goes on until the planned failover and ``least_blows`` in all have fallen.
    """
    load, watch = Load(world, steps, seed), Watch(world.url)
    killer = Killer(world, blows, load.cancel_one)
    begun, pause = time.monotonic(), threading.Event()
    planned_failovers = sum(blow.kind == "failover" for blow in blows)
    killer.start()
    try:
        while killer.failure is None and time.monotonic() < begun + minutes * 60:
            struck = killer.done["failover"] >= planned_failovers and killer.done.total() >= least_blows
            if load.done() and struck:
                break
            if load.done():
                load.want_more(OUTSTANDING)
            load.go_on()
            watch.look()
            pause.wait(0.1)
    finally:
        killer.stop()
    healed = time.monotonic()
    wait_until_sync(lambda: not open_rows(world.url), LIVENESS, "every step to end and every log to be whole")
    watch.look(now=True)
    history = read_history(world.url, world.witness, world.state_dirs())
    figures = {
        "steps": load.steps,
        "executions": len(load.executions),
        "commands run": len(history.runs),
        "blows": dict(sorted(killer.done.items())),
        "blows that fell on the fallen": killer.spared,
        "seconds under the killer": round(healed - begun, 1),
        "seconds until everything had ended": round(time.monotonic() - healed, 1),
        "ends": ends(history),
        "violations": violations(history) + watch.changes,
    }
    return history, figures


_OPEN = """
SELECT (SELECT count(*) FROM step_executions WHERE ended_at IS NULL)
     + (SELECT count(*) FROM attempts WHERE state IN ('succeeded', 'failed', 'timed_out', 'cancelled')
        AND log_total IS NOT NULL AND log_end < log_total)
"""


def open_rows(url: str) -> int:
    """Return how many steps have not ended, and how many logs are not whole."""
    return int(rows(url, _OPEN)[0][0])


def ends(history: History) -> dict[str, int]:
    """Count the steps by how they ended."""
    found: dict[str, int] = {}
    for step in history.steps.values():
        found[step.state] = found.get(step.state, 0) + 1
    return dict(sorted(found.items()))


def planned(seed: int, steps: int) -> list[Blow]:
    """Draw more blows than will fall, with the failover in the first third."""
    blows = plans.draw(seed, max(60, steps))
    blows.insert(max(5, steps // 300), Blow(1.0, "failover", 0, 0.0))
    return blows


def main() -> int:
    """Run and print the figures; return the exit code."""
    options = arguments()
    # Whoever stops this wants nothing of it left behind.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    blows = plans.read(options.plan) if options.plan else planned(options.seed, options.steps)
    options.results.mkdir(parents=True, exist_ok=True)
    plans.write(options.results / f"plan-{options.seed}.jsonl", blows)
    with tempfile.TemporaryDirectory(prefix="plumber-chaos-") as folder, opened(Path(folder)) as world:
        _, figures = run(world, blows, options.steps, options.seed, minutes=options.minutes)
        if figures["violations"]:
            keep_logs(world, options.results)
    found = {"seed": options.seed, **figures}
    (options.results / f"result-{options.seed}.json").write_text(json.dumps(found, indent=2) + "\n")
    if options.record:
        with options.record.open("a") as record:
            record.write(json.dumps(found | {"violations": len(figures["violations"])}) + "\n")
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 1 if figures["violations"] else 0


def keep_logs(world: World, results: Path) -> None:
    """Keep what the programs have said, for whoever looks into a broken promise."""
    for name, text in world.processes.logs():
        (results / f"{name}.log").write_text(text)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="chaos.run", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--minutes", type=float, default=60.0, help="start no more steps after so many minutes")
    parser.add_argument("--plan", type=Path, help="a plan that was kept, instead of one drawn from the seed")
    parser.add_argument("--record", type=Path, help="append the figures to this file")
    parser.add_argument("--results", type=Path, default=Path("build/chaos"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
