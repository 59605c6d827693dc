"""Where steps stand in a task: at its top, inside of blocks, as gates of rollouts, at its end whatever happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from plumber_core.planning.document import Path

Kind = Literal["step", "block", "inner", "gate", "always"]


@dataclass(frozen=True, slots=True)
class Place:
    """A step of a definition, whatever its form; ``path`` leads to it."""

    path: Path
    step: dict[str, Any]
    kind: Kind

    @property
    def label(self) -> str:
        """How people are told which step is meant."""
        name = self.step.get("name")
        if isinstance(name, str) and name:
            return name
        return "gate" if self.kind == "gate" else str(int(self.path[-1]) + 1)

    @property
    def rollout(self) -> dict[str, Any] | None:
        """Its rollout, if that is a mapping."""
        found = self.step.get("rollout")
        return found if isinstance(found, dict) else None


def places(task: dict[str, Any]) -> Iterator[Place]:
    """Yield every step in the order in which it may run: a block before its steps, a gate after them,
    what always runs last."""
    for path, step in _listed((), task):
        yield Place(path, step, "block" if "steps" in step else "step")
        for inside, inner in _listed(path, step):
            yield Place(inside, inner, "inner")
        rollout = step.get("rollout")
        gate = rollout.get("gate") if isinstance(rollout, dict) else None
        if isinstance(gate, dict):
            yield Place((*path, "rollout", "gate"), gate, "gate")
    for path, step in _listed((), task, "always"):
        yield Place(path, step, "always")


def _listed(path: Path, mapping: dict[str, Any], key: str = "steps") -> Iterator[tuple[Path, dict[str, Any]]]:
    steps = mapping.get(key)
    for index, step in enumerate(steps) if isinstance(steps, list) else ():
        if isinstance(step, dict):
            yield (*path, key, index), step
