"""The step that restarts its host, known by name: the silence that follows is no loss."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

RESTART = "reboot"
"""The executor whose attempt ends with another boot of its host instead of with its command."""
RETURN_WITHIN = 600.0
"""Seconds that a host has to be back, unless the step says otherwise."""


def return_within(uses: str, params: Mapping[str, Any]) -> float | None:
    """Return the seconds in which a step's host has to have started again; None when it is not to restart at all.

    What is no duration is left to the executor, which refuses it before anything restarts.
    """
    if uses != RESTART:
        return None
    try:
        wanted = float(params.get("timeout", RETURN_WITHIN))
    except (TypeError, ValueError):
        return RETURN_WITHIN
    return wanted if math.isfinite(wanted) and wanted > 0 else RETURN_WITHIN
