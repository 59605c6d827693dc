"""What time brings about. Every write is guarded, so any replica may do it, twice too."""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import ColumnElement, Connection, and_, case, func, select, update

from plumber_core.model import records as r
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import StorePart, insert_event, microseconds, now, step_row

_agent, _step, _attempt = t.agents.c, t.step_executions.c, t.attempts.c


def _seen() -> ColumnElement[int]:
    """When an agent was last heard; while no server could hear it, its clock stood still."""
    accepting = select(t.meta.c.accepting_since).scalar_subquery()
    return case((_agent.last_seen_at > accepting, _agent.last_seen_at), else_=accepting)


class ReaperPart(StorePart):
    """Implements ``ports.ReaperStore``."""

    async def mark_unreachable(self, lease: float) -> list[r.StepRow]:
        silent = select(_agent.id).where(_seen() < now() - microseconds(lease))
        # A step that was started a moment ago has a lease of its own from then.
        quiet = and_(_step.agent_id.in_(silent), _step.started_at < now() - microseconds(lease))
        which = and_(_step.state.in_(("running", "cancelling")), quiet)

        def work(connection: Connection) -> list[r.StepRow]:
            rows = connection.execute(select(t.step_executions).where(which).with_for_update()).all()
            steps = [step_row(row) for row in rows]
            for step in steps:
                connection.execute(update(t.step_executions).where(_step.id == step.id).values(state="unreachable"))
                insert_event(
                    connection,
                    "step.unreachable",
                    step.execution_id,
                    step.agent_id,
                    {"step_execution": step.id},
                )
            return steps

        return await self.write(work)

    async def mark_reachable(self, agent_id: str, attempts: Sequence[str]) -> None:
        which = and_(_step.agent_id == agent_id, _step.state == "unreachable", _step.attempt_id.in_(list(attempts)))
        back = case((_step.cancel_requested, "cancelling"), else_="running")

        def work(connection: Connection) -> None:
            statement = update(t.step_executions).where(which).values(state=back)
            for row in connection.execute(statement.returning(_step.id, _step.execution_id, _step.state)).all():
                insert_event(connection, f"step.{row.state}", row.execution_id, agent_id, {"step_execution": row.id})

        await self.write(work)

    async def overdue(self, lost_after: float) -> list[r.StepRow]:
        query = (
            select(t.step_executions)
            .outerjoin(t.agents, _agent.id == _step.agent_id)
            .where(
                _step.state == "unreachable",
                func.coalesce(_seen(), _step.started_at) < now() - microseconds(lost_after),
            )
        )
        return [step_row(row) for row in await self.read(lambda connection: connection.execute(query).all())]

    async def waiting_agents(self) -> list[str]:
        ready = select(_step.agent_id).where(_step.state == "ready")
        told = select(_step.agent_id).where(_step.state.in_(("cancelling", "unreachable")))
        query = ready.union(told)
        return list(await self.read(lambda connection: connection.execute(query).scalars().all()))
