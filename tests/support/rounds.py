"""What tests of resumed executions ask for."""

from __future__ import annotations

from typing import Any

from plumber_core.app import Plumber
from plumber_core.model.views import ExecutionDetail
from support.embedded import show

TASK = """
name: shop
on: all
steps:
  - {name: check, run: check}
  - name: roll out
    rollout: ROLLOUT
    steps:
      - {name: install, run: INSTALL, env: {SEEN: "SEEN"}}
      - {name: start, run: start}
  - {name: after, run: after}
"""


def source(install: str = "install", rollout: str = "{batches: '100%'}", seen: str = "") -> str:
    """Return the task, with another command or rollout."""
    return TASK.replace("INSTALL", install).replace("ROLLOUT", rollout).replace('SEEN: "SEEN"', f'SEEN: "{seen}"')


def newest(detail: ExecutionDetail) -> dict[str, list[str]]:
    """Return the states of each step's newest rows, host by host."""
    found: dict[str, list[str]] = {}
    for step in detail.steps:
        if not step.replaced:
            found.setdefault(step.step, []).append(step.state.value)
    return found


async def older(plumber: Plumber, execution: str) -> dict[str, dict[str, Any]]:
    """Return every row as it is now: what has ended may never change again."""
    return {step.id: step.model_dump(exclude={"replaced"}) for step in (await show(plumber, execution)).steps}


async def happened(plumber: Plumber, execution: str, *kinds: str) -> list[tuple[str, dict[str, Any]]]:
    """Return what the event log tells of these kinds."""
    rows = await plumber._engine.store.events_after("0.0", execution, 2000)
    return [(row.kind, row.data) for row in rows if row.kind in kinds]
