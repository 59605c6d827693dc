"""What is written when parts of a plan have ended: the turn of others, or the end of the execution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plumber_core.model.parts import Outcome
from plumber_core.model.records import Passed, Start, Told
from plumber_core.model.states import ExecutionState


@dataclass(frozen=True, slots=True)
class PartBegins:
    """A part whose turn has come: ``lanes`` begin its stage ``stage``, the first one in which anybody has something to
    do; ``first`` is the first of all, ``missed`` are the hosts that were left out."""

    first: int
    stage: int
    lanes: int
    missed: int = 0


@dataclass(frozen=True, slots=True)
class PartOver:
    """A part that ends without having begun, and how: the steps of its stages do not run. ``awaits_look`` says that its
    turn had come: what follows from its end somebody has to look for."""

    first: int
    stop: int
    outcome: Outcome
    awaits_look: bool = False


@dataclass(frozen=True, slots=True)
class Turn:
    """Everything that follows at once, to be written if the stages' ``control`` is still the same.

    ``seen`` are the stages with which parts have ended, ``passed`` steps that conditions pass over. ``main`` is how all
    but what always runs has ended; with it begins a deadline of ``patience`` seconds. ``state`` ends the execution.
    """

    execution: str
    controls: tuple[int, ...]
    seen: tuple[int, ...]
    begins: tuple[PartBegins, ...] = ()
    passed: tuple[Passed, ...] = ()
    over: tuple[PartOver, ...] = ()
    starts: tuple[Start, ...] = ()
    main: ExecutionState | None = None
    patience: float = 0.0
    state: ExecutionState | None = None
    problem: dict[str, Any] | None = None
    told: tuple[Told, ...] = ()


@dataclass(frozen=True, slots=True)
class CancelScope:
    """What of a plan with parts a cancel ends: stages before ``stop``; ``parts`` are the first and the stage behind of
    each part there. ``always`` says that it is about what always runs."""

    stop: int
    parts: tuple[tuple[int, int], ...]
    always: bool = False
