"""What really happened, and whether it may: the invariants of docs/explanation/simulation.md, checked as it happens.

The truth is kept by the process tables of the simulated machines, past everything that the product believes.
"""

from __future__ import annotations

import json
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from plumber_core.engine.attempts import AttemptRef
from plumber_core.model.plan import Plan
from plumber_core.model.states import TERMINAL_STEP_STATES
from plumber_core.testing.simulator.database import SharedDatabase
from plumber_core.testing.simulator.loop import VirtualLoop
from plumber_core.testing.simulator.server import PATIENCE
from plumber_core.testing.simulator.standards import Claim, before, held, must_be_well, too_many
from plumber_core.testing.simulator.tasks import members_of, mode_of

_TERMINAL = frozenset(state.value for state in TERMINAL_STEP_STATES)
_LEAVE = ("running", "cancelling", "unreachable")


class Violation(Exception):
    """An invariant does not hold. ``args`` are its name and what was seen."""

    def __str__(self) -> str:
        return f"{self.args[0]}: {self.args[1]}"


@dataclass
class Run:
    """One execution of a command. ``status`` is its wait status once it has ended, ``said`` what it has printed."""

    attempt: str
    machine: str
    began: float
    said: tuple[bytearray, bytearray]
    status: int | None = None
    ended: float | None = None
    crashed: bool = False
    """Whether its machine has lost power since: output that was not synced may be gone."""
    forgotten: bool = False
    """Whether its machine lost power before its start was on the disk, which remembers nothing of it."""


@dataclass
class Truth:
    """``violations`` are what was found so far. ``excused`` says why a check does not apply to this seed."""

    loop: VirtualLoop
    seed: int
    database: SharedDatabase
    cloned: bool = False
    runs: dict[str, Run] = field(default_factory=dict)
    by_step: dict[str, list[Run]] = field(default_factory=dict)
    violations: list[Violation] = field(default_factory=list)
    plans: dict[str, Plan] = field(default_factory=dict)
    stands: Callable[[str], bool] = lambda machine: False
    """Whether a machine's supervisor stands still: it cannot end what it should, one of the product's limits."""

    def chance_of(self, attempt: str) -> random.Random:
        """Return the chance that decides what the command of an attempt does."""
        step = AttemptRef.parse(attempt)
        return random.Random(f"{self.seed}/{step.execution}/{step.step}/{step.lane}/{len(self.runs)}")

    def violated(self, name: str, seen: str) -> None:
        """Note a violation."""
        self.violations.append(Violation(name, f"at {self.loop.time():.3f} s: {seen}"))

    def executed(self, attempt: str, machine: str, step: str, said: tuple[bytearray, bytearray]) -> None:
        """A command of a step begins."""
        ref = AttemptRef.parse(attempt)
        before = self.by_step.setdefault(ref.step_id, [])
        if attempt in self.runs:
            self.violated("I1", f"{attempt} is executed twice, on {self.runs[attempt].machine} and {machine}")
        self._check_again(attempt, machine, step, before)
        self._check_place(ref, attempt)
        self._check_locks(ref, attempt, machine)
        self._check_member(ref, attempt, machine, members_of(step))
        run = Run(attempt, machine, self.loop.time(), said)
        self.runs[attempt] = run
        before.append(run)

    def _check_again(self, attempt: str, machine: str, step: str, before: list[Run]) -> None:
        running, mode = [run for run in before if run.ended is None and not self.stands(run.machine)], mode_of(step)
        if (members_of(step) and self._given_up(before)) or self._unknown(before):
            return
        if before and mode == "once":
            self.violated("I2", f"a step that allows one is executed again, on {machine} as {attempt}; before {before}")
        if running and mode != "careless":
            self.violated("I2b", f"{attempt} begins on {machine} while {running} still runs")

    def _given_up(self, before: list[Run]) -> bool:
        """After a failover a pool's other members are waited for, but not for ever: one of the product's limits."""
        waited = self.loop.time() >= self.database.reborn_at + PATIENCE.lost_after
        return bool(self.database.rolled_back) and waited and any(run.began < self.database.reborn_at for run in before)

    def _unknown(self, before: list[Run]) -> bool:
        """Nobody knows of a start that neither the disk of its machine nor a failover has kept: a limit, too."""
        since = self.database.reborn_at if self.database.rolled_back else -1.0
        return any(run.forgotten and run.began <= since for run in before)

    def _check_member(self, ref: AttemptRef, attempt: str, machine: str, members: str) -> None:
        """A step of a pool runs on members only, and its lanes not on the same one at a time."""
        if not members:
            return
        if number_of(machine) not in members:
            self.violated("I16", f"{attempt} begins on {machine}, which is none of its pool {members}")
        for other, runs in self.by_step.items():
            same = AttemptRef.parse(runs[-1].attempt) if runs else ref
            if other == ref.step_id or (same.execution, same.step, same.round) != (ref.execution, ref.step, ref.round):
                continue
            held = [run for run in runs if run.machine == machine and run.ended is None and not self._given_up(runs)]
            if held and not self.cloned:
                self.violated("I16", f"{attempt} begins on {machine}, which runs another lane of it: {held}")

    def _plan(self, execution: str) -> Plan:
        if execution not in self.plans:
            [(plan,)] = self.database.rows("SELECT plan FROM executions WHERE id = ?", execution)
            self.plans[execution] = Plan.from_json(json.loads(plan))
        return self.plans[execution]

    def _check_place(self, ref: AttemptRef, attempt: str) -> None:
        """What a rolled back database says of the past proves nothing."""
        if self.database.rolled_back:
            return
        query = "SELECT step, lane, stage, state, attempt_id, round FROM step_executions WHERE execution_id = ?"
        rows = self.database.rows(query, ref.execution)
        mine = next(row for row in rows if (row[0], row[1], row[5]) == (ref.step, ref.lane, ref.round))
        if (mine[3] not in _LEAVE or mine[4] != attempt) and not self.cloned:
            self.violated("I8", f"{attempt} begins although its step is {mine[3]}, with the attempt {mine[4]}")
        plan = self._plan(ref.execution)
        stages = before(plan, mine[2])
        unfinished = [row for row in rows if _goes_before(row, mine, stages) and row[3] not in _TERMINAL]
        if unfinished:
            self.violated("I11", f"{attempt} begins before {unfinished}")
        self._check_well(ref, attempt, must_be_well(plan, mine[2]))
        done = [row for row in rows if row[:2] == mine[:2] and row[5] < ref.round and row[3] == "succeeded"]
        # What always runs does so behind each round.
        if done and not plan.part_of(mine[2]).always:
            self.violated("I18", f"{attempt} of a resumed execution begins, and its step had succeeded: {done}")

    def _check_well(self, ref: AttemptRef, attempt: str, stages: frozenset[int]) -> None:
        query = "SELECT stage FROM progress WHERE execution_id = ? AND outcome = 'failed'"
        failed = [stage for (stage,) in self.database.rows(query, ref.execution) if stage in stages] if stages else []
        if failed:
            self.violated("I11", f"{attempt} begins although the stages {failed} have failed that it needs")

    def _check_locks(self, ref: AttemptRef, attempt: str, machine: str) -> None:
        """I17: nothing runs beside what holds a lock against it, as long as that has not ended or been given up."""
        if self.database.rolled_back or self.cloned:
            return
        mine = self._held(ref, machine)
        others: dict[str, dict[str, Claim]] = {name: {} for name in mine}
        for run in self.runs.values() if mine else ():
            other = AttemptRef.parse(run.attempt)
            if run.ended is not None or not self._is_current(other):
                continue
            for name, claim in self._held(other, run.machine).items():
                if name in mine:
                    others[name][claim.holder] = claim
        for name, claim in mine.items():
            if too_many(claim, others[name]):
                self.violated("I17", f"{attempt} begins on {machine} with {name}: {claim} beside {others[name]}")

    def _held(self, ref: AttemptRef, machine: str) -> dict[str, Claim]:
        host = f"{int(number_of(machine)):08x}-aaaa-7000-8000-000000000000"
        return held(self._plan(ref.execution), ref.execution, ref.step, ref.lane, ref.round, host)

    def _is_current(self, ref: AttemptRef) -> bool:
        query = "SELECT state, attempt_id FROM step_executions WHERE id = ?"
        return any(row[0] in _LEAVE and row[1] == ref.attempt for row in self.database.rows(query, ref.step_id))

    def ended(self, attempt: str, status: int) -> None:
        """A command ends."""
        run = self.runs[attempt]
        run.status, run.ended = status, self.loop.time()

    def crashed(self, machine: str) -> None:
        """A machine loses power."""
        for run in self.runs.values():
            run.crashed = run.crashed or run.machine == machine

    def remembers(self, machine: str, knows: Callable[[str], bool]) -> None:
        """A machine is there again after a loss of power, and its journal knows these attempts."""
        for run in self.runs.values():
            run.forgotten = run.forgotten or (run.machine == machine and not knows(run.attempt))

    def code_of(self, run: Run) -> tuple[int | None, int | None]:
        """Return (exit code, signal) of a command that ended."""
        if run.status is None:
            return None, None
        code = os.waitstatus_to_exitcode(run.status)
        return (code, None) if code >= 0 else (None, -code)

    def raise_first(self) -> None:
        """Raise what was violated first."""
        if self.violations:
            raise self.violations[0]


def number_of(machine: str) -> str:
    """Return the number of the agent whose machine, or copy of it, this is."""
    return machine.removeprefix("m").partition("-")[0]


def _goes_before(row: Any, mine: Any, stages: frozenset[int]) -> bool:
    (step, lane, stage, *_), (my_step, my_lane, my_stage, *_) = row, mine
    return stage in stages or bool(stage == my_stage and lane == my_lane and step < my_step)
