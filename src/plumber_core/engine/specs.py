"""Step specifications as they are stored beside a step execution."""

from __future__ import annotations

from typing import Any

from plumber_core.protocol.codec import from_json
from plumber_core.protocol.messages import StepSpec


def spec_from_json(value: dict[str, Any]) -> StepSpec:
    """Read what a step execution stores."""
    spec: StepSpec = from_json(StepSpec, value)
    return spec
