"""What the operations answer about rollouts. Class names are component names of the OpenAPI document, as in
``views.py``, whose rules hold here too."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

BatchState = Literal["blocked", "waiting", "running", "gate", "passed", "stopped", "skipped"]


class _View(BaseModel):
    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


class BatchView(_View):
    """One batch of a rollout: its turn has not come (``blocked``), it waits before its gate or itself (``waiting``), it
    runs, its ``gate`` does, it has ``passed`` both, it has ``stopped`` the rollout, or never came to its turn."""

    number: int
    hosts: int
    failed: int
    state: BatchState


class RolloutView(_View):
    """A block that spreads over its hosts; ``waiting`` tells for what it waits between two batches, as a code with
    arguments."""

    block: str
    batches: list[BatchView]
    waiting: dict[str, Any] | None = None


class PlannedBatch(_View):
    """A batch as it would run: its hosts by name, the first 50 of them."""

    number: int
    hosts: int
    names: list[str]
    most_failed: int | None = None


class PlannedRollout(_View):
    """How a block would spread over its hosts. ``steps`` are the indexes of its steps, ``gates`` those of its gates.

    ``pause`` is seconds, or ``manual``; ``most_failed`` hosts may fail in all, any number if None.
    """

    block: str
    steps: list[int]
    gates: list[int] = Field(default_factory=list)
    pause: float | Literal["manual"] | None = None
    most_failed: int | None = None
    batches: list[PlannedBatch]
