"""From events to notifications: who is told, and what is known about it."""

from __future__ import annotations

from typing import Any

from plumber_core.engine.clock import moment
from plumber_core.engine.core import Engine
from plumber_core.ids import new_id
from plumber_core.model.notices import NewDelivery
from plumber_core.model.plan import Plan
from plumber_core.model.records import AttemptRow, EventRow, ExecutionRow, StepRow
from plumber_core.planning.notices import channels_of, occasion_of
from plumber_core.plugins.registry import PluginRegistry

CURSOR = "notifications"
OUTDATED = 86_400.0
"""Seconds: what happened longer ago is no news, such as while nobody ran a server."""
MOST_FAILURES = 5
"""Failed steps that a notification names."""


class NoticeDesk:
    """Decides what each event leads to."""

    def __init__(self, engine: Engine, plugins: PluginRegistry) -> None:
        self._engine, self._plugins = engine, plugins
        self._wishes = engine.notices.by_occasion()

    async def handle(self, row: EventRow, now: int) -> list[NewDelivery]:
        """Return the deliveries that an event leads to."""
        if row.execution_id is None or (now - row.at) / 1_000_000 > OUTDATED:
            return []
        found = await self._engine.store.load(row.execution_id)
        if found is None:
            return []
        execution, plan, _ = found
        recovered = row.kind == "execution.succeeded" and await self._engine.store.failed_before(
            execution.id, execution.task_id, row.cursor
        )
        occasion = occasion_of(row.kind, row.data, recovered=recovered)
        channels = channels_of(occasion, plan.notify, self._wishes) if occasion is not None else ()
        if not channels:
            return []
        facts = await self._facts(row, execution, plan)
        return [
            NewDelivery(new_id(), channel, str(occasion), execution.id, facts, self._unknown(channel))
            for channel in channels
        ]

    def _unknown(self, channel: str) -> str | None:
        return None if channel in self._plugins.notifiers else f"no plugin offers a channel named {channel}"

    async def _facts(self, row: EventRow, execution: ExecutionRow, plan: Plan) -> dict[str, Any]:
        failed, steps, attempts = await self._engine.store.failed_steps(execution.id, MOST_FAILURES)
        tries = {attempt.id: attempt for attempt in attempts}
        begun, ended = execution.created_at, row.at
        place = {name: row.data.get(name) for name in ("block", "batch", "batches") if name in row.data}
        return place | {
            "kind": row.kind,
            "at": moment(row.at).isoformat(),
            "task": execution.task,
            "revision": execution.revision,
            "execution": execution.id,
            "requested_by": execution.requested_by,
            "reason": execution.reason,
            "warnings": execution.warnings,
            "problem": execution.problem,
            "duration": (ended - begun) / 1_000_000,
            "failed": failed,
            "failures": [_failure(step, plan, tries.get(step.attempt_id or "")) for step in steps],
        }


def _failure(step: StepRow, plan: Plan, attempt: AttemptRow | None) -> dict[str, Any]:
    return {
        "step": plan.steps[step.step].name,
        "host": plan.hosts.get(step.agent_id, step.agent_id),
        "state": step.state.value,
        "exit_code": attempt.exit_code if attempt else None,
        "error": attempt.error if attempt else None,
    }
