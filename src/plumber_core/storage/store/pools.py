"""Steps of pools, in the long form: claimed by whoever is free, started when its agent asks, given back for nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, delete, exists, func, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from plumber_core.ids import attempt_id
from plumber_core.model import records as r
from plumber_core.model.states import LIVE_STEP_STATES, Actor, StepEvent
from plumber_core.storage import tables as t
from plumber_core.storage.guards import allows, becomes
from plumber_core.storage.store.agents import session_holds
from plumber_core.storage.store.base import StorePart, insert_event, microseconds, now, step_row
from plumber_core.storage.store.giving_back import give_back_claims

_agent, _step, _attempt, _member = t.agents.c, t.step_executions.c, t.attempts.c, t.pool_members.c
KEPT = 30 * 86_400.0
"""Seconds for which a pool that no step needs is kept: longer than any submit may take."""
# The oldest first; of one step's lanes an agent gets one, and never before an older step that only it can run. After a
# failover or restore other agents may hold what older executions have handed out: they are waited for, not for ever. So
# are those that have never greeted: their first greeting may be among what was lost.
_NEXT = """
SELECT s.id FROM step_executions s JOIN executions e ON e.id = s.execution_id, meta
WHERE s.state = 'ready' AND s.pool IS NOT NULL AND s.ready_at <= plumber_now()
  AND s.pool IN (SELECT m.pool FROM pool_members m WHERE m.agent_id = :agent)
  AND NOT EXISTS (SELECT 1 FROM step_executions mine WHERE mine.execution_id = s.execution_id AND mine.step = s.step
    AND mine.agent_id = :agent AND mine.round = s.round)
  AND NOT EXISTS (SELECT 1 FROM step_executions own WHERE own.agent_id = :agent AND own.state = 'ready'
    AND own.ready_at < s.ready_at)
  AND (e.created_at > meta.epoch * 1000 OR meta.epoch * 1000 + CAST(:lost_after AS BIGINT) <= plumber_now()
    OR NOT EXISTS (SELECT 1 FROM pool_members m JOIN agents o ON o.id = m.agent_id
      WHERE m.pool = s.pool AND o.id <> :agent AND o.state <> 'revoked'
        AND (o.session_epoch <> meta.epoch OR NOT o.session_used)))
ORDER BY s.ready_at, s.id LIMIT 1"""
_LOCKED = f"{_NEXT} FOR UPDATE OF s SKIP LOCKED"


class PoolPart(StorePart):
    """Implements ``ports.PoolStore``."""

    async def save_pool(self, pool: str, agents: Sequence[str]) -> None:
        def work(connection: Connection) -> None:
            # Each use renews it, so that retention cannot delete it under a submit.
            used = {"id": pool}
            put = "INSERT INTO pools (id, used_at) VALUES (:id, plumber_now())"
            connection.execute(text(f"{put} ON CONFLICT (id) DO UPDATE SET used_at = excluded.used_at"), used)
            member = text("INSERT INTO pool_members (pool, agent_id) VALUES (:pool, :agent) ON CONFLICT DO NOTHING")
            connection.execute(member, [{"pool": pool, "agent": agent} for agent in sorted(agents)])

        await self.write("save_pool", work)

    async def pool(self, pool: str) -> list[str]:
        query = select(_member.agent_id).where(_member.pool == pool).order_by(_member.agent_id)
        return list(await self.read(lambda connection: connection.execute(query).scalars().all()))

    async def claim_pooled(self, claim: r.Claim, lost_after: float) -> r.StepRow | None:
        values = {"agent": claim.agent, "lost_after": microseconds(lost_after)}

        def work(connection: Connection) -> r.StepRow | None:
            which = text(_LOCKED if connection.dialect.name == "postgresql" else _NEXT)
            step = connection.execute(which, values).scalar_one_or_none()
            return None if step is None else _claim(connection, step, claim)

        try:
            return await self.write("claim_pooled", work)
        except IntegrityError:  # an older session of the same agent was claiming another lane of it
            return None

    async def start(self, attempt: str, agent: str, session: str, boot_id: str) -> bool:
        able = _agent.state.in_(("active", "draining")), _agent.conflict.is_(False)
        which = (
            _step.attempt_id == attempt,
            _step.agent_id == agent,
            exists().where(_attempt.id == attempt, _attempt.session == session, _attempt.ended_at.is_(None)),
            exists().where(session_holds(agent, session), *able),
        )
        claimed, leave = text(allows(StepEvent.START, Actor.AGENT)), text(becomes(StepEvent.START))
        running = (_step.state == "running", _step.cancel_requested.is_(False))
        started = update(t.step_executions).where(*which, claimed).values(state=leave, started_at=now())
        # Who asks so late may have been silent for long: from now on it has a lease as anybody who starts.
        again = update(t.step_executions).where(*which, *running).values(started_at=now())

        def work(connection: Connection) -> bool:
            row = connection.execute(started.returning(*_EVENT_OF)).first()
            if row is None and not connection.execute(again).rowcount:
                return False
            fresh = {"started_at": now(), "boot_id": boot_id}
            connection.execute(update(t.attempts).where(_attempt.id == attempt).values(**fresh))
            if row is not None:
                _tell(connection, "running", row)
            return True

        return await self.write("start", work)

    async def give_back_claims(self, agent: str, session: str) -> list[r.StepRow]:
        mine = (_attempt.agent_id == agent, _attempt.session == session)
        return await self.write("give_back", lambda connection: give_back_claims(connection, *mine))

    async def delete_pools(self) -> None:
        unused = ~exists().where(_step.pool == t.pools.c.id)
        old = t.pools.c.used_at < now() - microseconds(KEPT)
        gone = ~exists().where(t.pools.c.id == _member.pool)

        def work(connection: Connection) -> None:
            if connection.execute(delete(t.pools).where(old, unused)).rowcount:
                connection.execute(delete(t.pool_members).where(gone))

        await self.write("delete_pools", work)


_EVENT_OF = (_step.id, _step.execution_id, _step.step, _step.lane, _step.agent_id, _step.attempt_id)


def _claim(connection: Connection, step: str, claim: r.Claim) -> r.StepRow | None:
    """Claim a step that was found, and locked where that can be: the guard is asked again."""
    number = _step.attempt_number + 1
    live = select(func.count()).where(_step.agent_id == claim.agent, _step.state.in_(sorted(LIVE_STEP_STATES)))
    room: ColumnElement[bool] = live.correlate(None).scalar_subquery() < _agent.slots
    able = (_agent.state == "active", _agent.conflict.is_(False), room)
    which = (
        _step.id == step,
        text(allows(StepEvent.CLAIM, Actor.AGENT)),
        exists().where(session_holds(claim.agent, claim.session), *able),
    )
    mine = (
        update(t.step_executions)
        .where(*which)
        .values(state=text(becomes(StepEvent.CLAIM)), agent_id=claim.agent, attempt_number=number)
    )
    row = connection.execute(mine.returning(_step.attempt_number)).first()
    if row is None:
        return None
    attempt = attempt_id(step, row.attempt_number, claim.nonce)
    named = update(t.step_executions).where(_step.id == step).values(attempt_id=attempt)
    claimed = step_row(connection.execute(named.returning(t.step_executions)).one())
    values: dict[str, Any] = {
        "id": attempt,
        "step_execution_id": step,
        "execution_id": claimed.execution_id,
        "agent_id": claim.agent,
        "number": claimed.attempt_number,
        "session": claim.session,
        "beat": claim.beat,
        "boot_id": claim.boot_id,
        "epoch": select(t.meta.c.epoch).scalar_subquery(),
    }
    connection.execute(insert(t.attempts).values(**values, started_at=now()))
    _tell(connection, "claimed", claimed)
    return claimed


def _tell(connection: Connection, state: str, row: Any) -> None:
    data = {"step_execution": row.id, "step": row.step, "lane": row.lane, "attempt": row.attempt_id}
    insert_event(connection, f"step.{state}", row.execution_id, row.agent_id, data)
