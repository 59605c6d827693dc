"""Ready steps whose hosts are offline, for as long as their tasks wait for them."""

from __future__ import annotations

from sqlalchemy import case, func, or_, select

from plumber_core.model.absent import Absent
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import StorePart, microseconds, step_row
from plumber_core.storage.store.reaper import moment_of, seen

_agent, _step, _execution = t.agents.c, t.step_executions.c, t.executions.c


class AbsencePart(StorePart):
    """Implements the part of ``ports.ReaperStore`` that looks for hosts that are not there."""

    async def absent(self, lease: float, at: int | None = None) -> list[Absent]:
        moment = moment_of(at)
        # The patience counts from when both were true: the step was ready, and nobody was there to take it.
        since = case((_agent.last_seen_at > _step.ready_at, _agent.last_seen_at), else_=_step.ready_at)
        patient = _execution.offline_after
        query = (
            select(t.step_executions, func.coalesce(_agent.last_seen_at, 0).label("heard"))
            .join(t.executions, _execution.id == _step.execution_id)
            .outerjoin(t.agents, _agent.id == _step.agent_id)
            .where(
                _step.state == "ready",
                _step.pool.is_(None),
                _execution.state.in_(("running", "paused")),
                patient.is_not(None),
                since <= moment - patient,
                or_(_agent.id.is_(None), seen() < moment - microseconds(lease)),
            )
        )
        rows = await self.read(lambda connection: connection.execute(query).all())
        return [Absent(step_row(row), row.heard) for row in rows]
