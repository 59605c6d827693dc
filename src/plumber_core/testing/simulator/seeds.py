"""Many seeds: tried by several processes, failures made small, one line for the record."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import gc
import multiprocessing
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from plumber_core.testing.simulator.faults import KINDS
from plumber_core.testing.simulator.simulation import Plan, Simulation
from plumber_core.testing.simulator.truth import Violation

TRIES = 150
"""Runs that making a failure smaller may cost."""
COLLECTED = 10
"""Seeds after which what they have left is collected: that takes a tenth of a second, and their memory is small."""
SHORTEST = 2.0
"""Virtual seconds of faults that are tried at least."""


@dataclass(frozen=True, slots=True)
class Result:
    """One seed. ``broken`` is the invariant that did not hold, with what was seen; ``seconds`` are the processor's."""

    seed: int
    broken: str | None
    seen: str
    commands: int
    turns: int
    virtual: float
    seconds: float
    states: dict[str, int]
    faults: dict[str, int]
    trace: str


@functools.cache
def _warm_up() -> None:
    """Run a little, and keep what every seed uses out of the garbage collector's sight: that took long."""
    with contextlib.suppress(Violation):
        Simulation(Plan(0, agents=1, executions=1, seconds=1.0)).run()
    gc.collect()
    gc.freeze()


def try_plan(plan: Plan) -> Result:
    """Run one plan and say what came of it."""
    _warm_up()
    began = time.process_time()
    simulation = Simulation(plan)
    broken, seen = None, ""
    try:
        simulation.run()
    except Violation as violation:
        broken, seen = violation.args
    states = Counter(row[0] for row in simulation.database.rows("SELECT state FROM step_executions"))
    result = Result(
        plan.seed,
        broken,
        seen,
        len(simulation.truth.runs),
        simulation.loop.turns,
        simulation.loop.time(),
        time.process_time() - began,
        dict(states),
        dict(simulation.faults.seen),
        simulation.trace(),
    )
    del simulation
    if plan.seed % COLLECTED == 0:
        gc.collect()
    return result


def try_seeds(seeds: Sequence[int], jobs: int, plan: Plan) -> Iterator[Result]:
    """Yield the results of many seeds, each run as ``plan`` has it, in any order."""
    plans = [dataclasses.replace(plan, seed=seed) for seed in seeds]
    if jobs == 1:
        yield from map(try_plan, plans)
        return
    with multiprocessing.get_context("spawn").Pool(jobs) as pool:
        yield from pool.imap_unordered(try_plan, plans, chunksize=5)


def shrink(plan: Plan, broken: str) -> Plan:
    """Return the smallest plan found that breaks the same invariant: fewer kinds of fault, steps, agents, seconds."""
    smaller = functools.partial(_first_that_breaks, broken, iter(range(TRIES)))
    before = None
    while plan != before:
        before, plan = plan, _left_out(plan, smaller)
    return plan


def _left_out(plan: Plan, smaller: Callable[[Plan, list[Plan]], Plan]) -> Plan:
    """Leave out once whatever can be: what remains of one thing may have been needed for another only."""
    for kind in [kind for kind in KINDS if kind not in plan.without]:
        plan = smaller(plan, [dataclasses.replace(plan, without=plan.without | {kind})])
    for number in sorted({*range(plan.executions)} - plan.skip):
        if len(plan.skip) < plan.executions - 1:
            plan = smaller(plan, [dataclasses.replace(plan, skip=plan.skip | {number})])
    plan = smaller(plan, [dataclasses.replace(plan, agents=number) for number in range(1, plan.agents)])
    shares = [share * plan.seconds for share in (0.3, 0.6) if share * plan.seconds >= SHORTEST]
    return smaller(plan, [dataclasses.replace(plan, seconds=seconds) for seconds in shares])


def _first_that_breaks(broken: str, tries: Iterator[int], plan: Plan, candidates: list[Plan]) -> Plan:
    for candidate in candidates:
        if next(tries, None) is None:
            break
        if try_plan(candidate).broken == broken:
            return candidate
    return plan
