"""Parts of a plan as the API shows them: for what those wait whose turn has not come."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plumber_core.engine.rollout_views import Waits
from plumber_core.model.plan import Plan
from plumber_core.model.records import Progress
from plumber_core.planning.graph import standing_of


def turns_of(plan: Plan, progress: Sequence[Progress]) -> Waits:
    """Return for which steps the branches of a graph wait, by the stages of theirs."""
    standing = standing_of(plan, {one.stage: one for one in progress})
    waits: dict[int, dict[str, Any]] = {}
    for index, part in enumerate(plan.parts):
        if index in standing.begun or not part.name:
            continue
        open_ = [plan.parts[need].name for need in part.needs if need not in standing.outcomes]
        waits |= {stage: {"code": "needs", "steps": open_} for stage in part.stages}
    return waits
