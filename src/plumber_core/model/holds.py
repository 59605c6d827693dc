"""Who holds what, and who asks for it: the rows behind locks and queues. Times are microseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from plumber_core.model.asked import Asked
from plumber_core.model.records import Start, StepRow, Told


@dataclass(frozen=True, slots=True)
class Hold:
    """A row: ``holder``, an execution or one step of it, holds something, or asks for it. They stand in order by id."""

    id: int
    holder: str
    execution_id: str
    wanted: Asked
    granted: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """Who gets everything that he asks for; who is refused and why; and whose turn is over, by whom.

    ``replaced`` maps executions that have to end to the one that takes their place.
    """

    granted: tuple[str, ...] = ()
    refused: dict[str, dict[str, Any]] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Admitted:
    """What one look has led to: steps that are ready now, executions that may begin, that have to end and why."""

    steps: list[StepRow] = field(default_factory=list)
    executions: list[str] = field(default_factory=list)
    ending: dict[str, dict[str, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Beginning:
    """What is written when an execution begins that was queued; its ``timeout``, in seconds, counts from then."""

    execution: str
    starts: tuple[Start, ...]
    told: tuple[Told, ...] = ()
    timeout: float | None = None


@dataclass(frozen=True, slots=True)
class HolderLook:
    """Who holds something: an execution, or a step of it on a host, both by name."""

    execution: str
    task: str
    by: str
    step: str | None = None
    host: str | None = None


@dataclass(frozen=True, slots=True)
class HoldLook:
    """What somebody waits for: ``position`` in its queue from 1, and some of those who hold it."""

    label: str
    most: int | None
    position: int
    holders: tuple[HolderLook, ...]
    queue: bool = False
