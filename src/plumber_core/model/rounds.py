"""Rounds: what people have run anew, skipped or marked by hand in an execution.

A step on one host has a row for each round, and the newest one says where it stands. Older rows never change.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from plumber_core.model.asked import Asked
from plumber_core.model.parts import Outcome
from plumber_core.model.plan import Plan
from plumber_core.model.records import ExecutionRow, Opening, Start, Told
from plumber_core.model.states import ExecutionState, StepState

Place = tuple[int, int]
"""(step, lane): one step on one host, whatever its round."""
ByHand = Literal["skip", "done", "cancel"]
"""What a person has made of a step: nobody ran it in this round, or its host was taken out of the execution."""
Deed = Literal["retry", "skip", "done"]
"""What somebody does with one step on one host that has ended badly."""
What = Literal["rest", "failed"]
"""Which hosts go on: those that have something left to do, or only those that have failed."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The newest row of a place: ``host`` has it now, ``begun`` says that it was handed out, ``number`` how often.

    ``missed``: it was not, because its host was offline; ``passed``: nor had it to be, by a condition. Of what is still
    to come ``id`` names the row.
    """

    state: StepState
    host: str
    begun: bool = False
    round: int = 0
    number: int = 0
    by_hand: ByHand | None = None
    missed: bool = False
    id: str = ""
    passed: bool = False


Cells = Mapping[Place, Cell]


@dataclass(frozen=True, slots=True)
class Whole:
    """All of an execution, of one moment: the newest rows, the stages' ``control``, and how many of their lanes
    have not ended, as far as that is counted."""

    execution: ExecutionRow
    plan: Plan
    cells: dict[Place, Cell]
    controls: tuple[int, ...]
    remaining: tuple[int, ...] = ()

    @property
    def open_stages(self) -> frozenset[int]:
        """The stages of which lanes have not ended."""
        return frozenset(stage for stage, lanes in enumerate(self.remaining) if lanes)


@dataclass(frozen=True, slots=True)
class Laid:
    """What a round has: steps to run ``anew``, and those that are ``passed`` because it begins behind them."""

    anew: frozenset[Place] = frozenset()
    passed: frozenset[Place] = frozenset()


@dataclass(frozen=True, slots=True)
class NewRow:
    """A row of the next round. ``number`` is that of the place's last attempt: attempts go on counting."""

    id: str
    stage: int
    step: int
    lane: int
    agent: str
    state: StepState
    number: int
    by_hand: ByHand | None = None
    pool: str | None = None


@dataclass(frozen=True, slots=True)
class PartState:
    """A part of a plan, stages ``first`` to ``stop`` without it: it has ended, or waits for its turn (None)."""

    first: int
    stop: int
    outcome: Outcome | None


@dataclass(frozen=True, slots=True)
class Renewal:
    """A new round, to be written if the stages' ``control`` is still the same and the execution in one of ``states``.

    ``plan`` is another revision's, if that is taken. ``counters`` are (remaining lanes, failed lanes) by stage. After a
    resume (``resumes``) only what it lays counts; ``goes_on`` is False when nothing but the rows is written. The
    execution may have come to its end with it (``ends``).
    """

    execution: str
    states: frozenset[ExecutionState]
    controls: tuple[int, ...]
    round: int
    rows: tuple[NewRow, ...]
    counters: tuple[tuple[int, int], ...]
    carried: tuple[int, ...]
    starts: tuple[Start, ...] = ()
    waits: Opening | None = None
    warnings: int = 0
    timeout: float | None = None
    plan: Plan | None = None
    told: tuple[Told, ...] = ()
    resumes: bool = True
    goes_on: bool = True
    ends: ExecutionState | None = None
    wants: tuple[Asked, ...] = ()
    """What the execution has to hold again."""
    parts: tuple[PartState, ...] = ()
    """How the parts of the plan stand, if it has any; what begins then is another write."""


@dataclass(frozen=True, slots=True)
class BlockedRow:
    """A row that waits for its turn, with the number of its place's last attempt."""

    id: str
    number: int


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to run anew.

    Args:
        what: which hosts.
        hosts: only these agents, by their ids; None for all.
        step: from this step on, by its index: also what has ended well, on the chosen hosts.
    """

    what: What = "rest"
    hosts: frozenset[str] | None = None
    step: int | None = None


@dataclass(frozen=True, slots=True)
class Touched:
    """What a round would touch, host by host: the steps that run anew, by their indexes."""

    hosts: dict[str, tuple[int, ...]] = field(default_factory=dict)
    passed: dict[str, tuple[int, ...]] = field(default_factory=dict)
