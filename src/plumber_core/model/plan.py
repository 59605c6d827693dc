"""The frozen plan of one execution: what runs where, decided once, at its start.

A plan is a row of **stages**. A stage has **lanes**, one a host, and a **chain** of steps that every lane walks in
order. A plain step on several hosts is a stage whose chain has one step; a block is a stage for each batch. The
next stage starts when every lane of the last one has ended within its limits. Plain dataclasses: the hot path
decodes one for each execution that it meets.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, Literal, Self

from plumber_core.model.limits import CANCEL_GRACE

OnFailure = Literal["stop", "continue"]


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step as written, its templates not yet rendered.

    ``needs_outputs`` names the steps whose outputs the templates read. Durations are seconds.
    """

    name: str
    uses: str
    params: dict[str, Any] = field(default_factory=dict)
    path: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    timeout: float | None = None
    idle_timeout: float | None = None
    grace: float = CANCEL_GRACE
    stdin: str | None = None
    on_failure: OnFailure = "stop"
    needs_outputs: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Stage:
    """``chain`` holds indexes into ``Plan.steps``, ``hosts`` agent ids."""

    chain: tuple[int, ...]
    hosts: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an execution needs to go on, whichever server picks it up."""

    task: str
    revision: int | None
    steps: tuple[PlanStep, ...]
    stages: tuple[Stage, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    """What every command gets: the task's env, then each parameter under its own name."""
    hosts: dict[str, str] = field(default_factory=dict)
    """Agent id -> the name it had when the targets were frozen."""
    clean_environment: bool = True
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    """Agent id -> its labels and facts when the targets were frozen; only where an expression reads them."""

    def to_json(self) -> dict[str, Any]:
        """Return JSON values only; they share what is inside with the plan."""
        values = {name: getattr(self, name) for name in _names(Plan)}
        steps = [{name: getattr(step, name) for name in _names(PlanStep)} for step in self.steps]
        stages = [{"chain": stage.chain, "hosts": stage.hosts} for stage in self.stages]
        return {**values, "steps": steps, "stages": stages}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        steps = tuple(PlanStep(**{**step, "needs_outputs": tuple(step["needs_outputs"])}) for step in value["steps"])
        stages = tuple(Stage(tuple(stage["chain"]), tuple(stage["hosts"])) for stage in value["stages"])
        return cls(**{**value, "steps": steps, "stages": stages})

    def stage_of(self, step: int) -> int:
        """Return the index of the stage whose chain holds the step with this index."""
        return next(index for index, stage in enumerate(self.stages) if step in stage.chain)


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind))
