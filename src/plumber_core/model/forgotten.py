"""Values for what a database has forgotten and agents still know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plumber_core.model.records import Opening, Outcome, Passed, Start
from plumber_core.model.states import ExecutionState, StepState

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Adopter:
    """The agent that tells what it holds, in its current ``session`` (hash), and which of it runs."""

    agent: str
    session: str
    boot_id: str
    running: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class HeldAttempt:
    """An attempt that an agent holds. ``spec`` is what little is known of it where the database knows nothing."""

    attempt: str
    step_execution: str
    execution: str
    number: int
    state: str
    spec: Json


@dataclass(frozen=True, slots=True)
class Adopted:
    """What became of held attempts: ``settled`` ones need no telling, ``ended`` ones belong to a step that has ended;
    ``executions`` are those that were changed."""

    settled: tuple[str, ...] = ()
    ended: tuple[str, ...] = ()
    executions: frozenset[str] = frozenset()

    def plus(self, more: Adopted) -> Adopted:
        """Return both."""
        return Adopted(self.settled + more.settled, self.ended + more.ended, self.executions | more.executions)


@dataclass(frozen=True, slots=True)
class StrayRow:
    """An attempt that an agent ran for an execution that the database does not know."""

    id: str
    agent_id: str
    execution_id: str
    task: str
    step: str
    seen_at: int
    outcome: Json | None


@dataclass(frozen=True, slots=True)
class Standing:
    """Every step's state by (step, lane), and the stages' ``control`` of the same moment."""

    cells: dict[tuple[int, int], StepState]
    controls: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Settlement:
    """Where an execution stands, to be written if the stages' ``control`` is still the same."""

    execution: str
    controls: tuple[int, ...]
    counters: tuple[tuple[int, int], ...]
    starts: tuple[Start, ...]
    skips: tuple[tuple[int, int], ...]
    state: ExecutionState | None
    carried: tuple[int, ...] = ()
    waits: Opening | None = None
    passed: tuple[Passed, ...] = ()
    begun: tuple[int, ...] = ()
    """The first stages of the parts that have begun."""
    outcomes: tuple[tuple[int, Outcome], ...] = ()
    """How parts have ended, by their first stages."""
