"""What time brings about. Every write is guarded, so any replica may do it, twice too."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Select,
    and_,
    bindparam,
    case,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    text,
    union,
    update,
)

from plumber_core.model import records as r
from plumber_core.model.asked import NEVER, PAUSED
from plumber_core.model.limits import CLOCK_DRIFT, STOP_MARGIN
from plumber_core.model.states import Actor, StepEvent
from plumber_core.storage import tables as t
from plumber_core.storage.guards import allows, becomes
from plumber_core.storage.hot import waits_since
from plumber_core.storage.store.base import StorePart, insert_event, microseconds, now, optional_json, step_row
from plumber_core.storage.store.batches import due_batches
from plumber_core.storage.store.giving_back import give_back_claims

_UNREACHABLE = text(becomes(StepEvent.SILENCE))
_LEAD = text(
    """INSERT INTO leases (name, holder, term, expires_at) VALUES (:name, :holder, 1, plumber_now() + :until)
ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, expires_at = excluded.expires_at,
  term = leases.term + CASE WHEN leases.holder = excluded.holder THEN 0 ELSE 1 END
WHERE leases.holder = excluded.holder OR leases.expires_at <= plumber_now() RETURNING term"""
)
_agent, _step, _attempt = t.agents.c, t.step_executions.c, t.attempts.c
_lease, _execution, _member = t.leases.c, t.executions.c, t.pool_members.c
_ready = _step.state == "ready"
_WAITING = union(
    select(_step.agent_id).where(_ready, _step.pool.is_(None)),
    select(_step.agent_id).where(_step.state.in_(("cancelling", "unreachable"))),
    select(_member.agent_id).join(t.step_executions, _step.pool == _member.pool).where(_ready, _step.pool.is_not(None)),
)
_queued = select(_execution.id).where(_execution.state == "queued", _execution.cancel_requested.is_(False))
_QUEUED = _queued.limit(1)
_ASKED = select(exists().where(t.holds.c.granted_at.is_(None)))
_ADOPTED = select(_execution.id).where(_execution.state.in_(("queued", "running")), _execution.adopted > 0)
_LEADS = select(
    exists().where(
        _lease.name == bindparam("name"), _lease.holder == bindparam("holder"), _lease.term == bindparam("term")
    )
)
_WAKEN = (
    update(t.step_executions)
    .where(text(allows(StepEvent.WAKE, Actor.REAPER)), _step.ready_at <= now())
    .values(state=text(becomes(StepEvent.WAKE)), ready_at=now())
    .returning(t.step_executions)
)


def seen() -> ColumnElement[int]:
    """When an agent was last heard; while no server could hear it, its clock stood still."""
    accepting = select(t.meta.c.accepting_since).scalar_subquery()
    return case((_agent.last_seen_at > accepting, _agent.last_seen_at), else_=accepting)


def moment_of(at: int | None) -> ColumnElement[int]:
    """Return a moment of the database's clock in SQL; None is now."""
    return now() if at is None else literal(at, BigInteger)


class _Due(NamedTuple):
    waited: Select[Any]
    late: Select[Any]
    tired: Select[Any]


@cache
def _due(*, clocked: bool) -> _Due:
    """Return what asks whose time is over; made once, for it is asked all day."""
    moment = bindparam("at", type_=BigInteger) if clocked else now()
    waited = (
        select(t.step_executions)
        .join(t.executions, _execution.id == _step.execution_id)
        .where(
            _step.state == "ready",
            _execution.state != "paused",
            literal_column(waits_since("step_executions"), BigInteger) + _execution.queue_timeout <= moment,
        )
    )
    late = select(_execution.id).where(
        _execution.state.in_(("queued", "running")),
        _execution.deadline_at <= moment,
        or_(
            _execution.cancel_requested.is_(False),
            and_(_execution.main_state.is_not(None), _execution.always_cancelled.is_(False)),
        ),
    )
    return _Due(waited, late, _queued.where(_execution.created_at + _execution.queue_timeout <= moment))


def leads(term: r.Term) -> ColumnElement[bool]:
    """Return the condition that a leader still leads."""
    mine = (_lease.name == term.name, _lease.holder == term.holder, _lease.term == term.term)
    return exists().where(*mine)


def lead(connection: Connection, name: str, holder: str, seconds: float) -> r.Term | None:
    """Take or renew a lease in the caller's transaction."""
    values = {"name": name, "holder": holder, "until": microseconds(seconds)}
    term = connection.execute(_LEAD, values).scalar_one_or_none()
    return None if term is None else r.Term(name, holder, int(term))


def _held(connection: Connection, which: ColumnElement[bool]) -> list[r.StepRow]:
    """Lock steps in the order of the reports, and have whoever is about to end one of them decide anew.

    His transaction may be the older one, and events stand in the order of transactions: a step would seem to move on
    after its end.
    """
    query = select(t.step_executions).where(which).order_by(_step.id).with_for_update()
    steps = [step_row(row) for row in connection.execute(query)]
    if executions := sorted({step.execution_id for step in steps}):
        decided = update(t.progress).where(t.progress.c.execution_id.in_(executions))
        connection.execute(decided.values(control=t.progress.c.control + 1))
    return steps


class ReaperPart(StorePart):
    """Implements ``ports.ReaperStore``."""

    async def resign(self, term: r.Term) -> None:
        statement = update(t.leases).where(leads(term), _lease.name == term.name).values(expires_at=0)
        await self.write("resign", lambda connection: connection.execute(statement) and None)

    async def clock_jumped(self, term: r.Term, seconds: float) -> None:
        by = microseconds(seconds)
        paused = t.progress.c.opens_at.is_not(None)
        waiting = and_(_step.state.in_(("ready", "retry_wait")), _step.ready_at < NEVER)
        asking = update(t.holds).where(t.holds.c.granted_at.is_(None))
        # While an execution is paused its time stands still anyway.
        open_ = and_(_execution.state.in_(("queued", "running")), _execution.deadline_at.is_not(None))

        def work(connection: Connection) -> None:
            if not connection.execute(select(leads(term))).scalar_one():
                return
            connection.execute(update(t.meta).values(accepting_since=now()))
            connection.execute(update(t.agents).where(_agent.last_seen_at > now()).values(last_seen_at=now()))
            connection.execute(update(t.step_executions).where(waiting).values(ready_at=_step.ready_at + by))
            connection.execute(asking.values(asked_at=t.holds.c.asked_at + by))
            connection.execute(update(t.executions).where(open_).values(deadline_at=_execution.deadline_at + by))
            connection.execute(update(t.progress).where(paused).values(opens_at=t.progress.c.opens_at + by))
            insert_event(connection, "system.clock_jumped", None, None, {"seconds": round(seconds, 3)})

        await self.write("clock_jumped", work)

    async def hold_retries(self, agent_id: str, attempts: Sequence[str]) -> list[str]:
        """Return which of these attempts of an agent were given up and are replaced by others, while ``stop_after``
        forbids that both run; the next attempts wait until those must have ended, counted from now."""
        replaced = or_(_step.state == "retry_wait", _step.attempt_id != _attempt.id)
        query = (
            select(_attempt.id, _step.id.label("step"), _step.spec)
            .join(t.step_executions, _step.id == _attempt.step_execution_id)
            .where(
                _attempt.id.in_(list(attempts)), _attempt.agent_id == agent_id, _attempt.state == "unknown", replaced
            )
        )
        rows = await self.read(lambda connection: connection.execute(query).all())
        specs = {row.id: (row.step, optional_json(row.spec) or {}) for row in rows}
        given_up = {id_: (step, stop) for id_, (step, spec) in specs.items() if (stop := spec.get("stop_after"))}

        def work(connection: Connection) -> None:
            for step, stop_after in given_up.values():
                until = now() + microseconds(stop_after * CLOCK_DRIFT + STOP_MARGIN)
                waits = (_step.id == step, _step.state == "retry_wait")
                # Of a paused execution the time is kept in the same way; see ``asked.PAUSED``.
                soon = (*waits, _step.ready_at < until)
                paused = (*waits, _step.ready_at >= PAUSED, _step.ready_at < until + PAUSED)
                connection.execute(update(t.step_executions).where(*paused).values(ready_at=until + PAUSED))
                connection.execute(update(t.step_executions).where(*soon).values(ready_at=until))

        if given_up:
            await self.write("hold_retries", work)
        return list(given_up)

    async def wake_retries(self) -> list[r.StepRow]:
        return await self.write("wake_retries", _wake)

    async def due(self, term: r.Term, at: int | None = None) -> r.Due | None:
        given = {"at": at, "name": term.name, "holder": term.holder, "term": term.term}
        queries = _due(clocked=at is not None)

        def work(connection: Connection) -> r.Due | None:
            if not connection.execute(_LEADS, given).scalar_one():
                return None
            woken = _wake(connection)
            expired = [step_row(row) for row in connection.execute(queries.waited, given)]
            late, tired = (list(connection.execute(q, given).scalars()) for q in (queries.late, queries.tired))
            adopted = list(connection.execute(_ADOPTED).scalars())
            queues = bool(connection.execute(_ASKED).scalar_one()) or connection.execute(_QUEUED).first() is not None
            return r.Due(woken, expired, late, adopted, due_batches(connection), tired, queues)

        return await self.write("due", work)

    async def mark_unreachable(self, term: r.Term, lease: float, at: int | None = None) -> list[r.StepRow]:
        """Mark what runs on agents silent for ``lease`` s, give back what was claimed so long ago and not started;
        return both."""
        since = moment_of(at) - microseconds(lease)
        silent = select(_agent.id).where(seen() < since)
        # A step that was started a moment ago has a lease of its own from then.
        quiet = and_(_step.agent_id.in_(silent), _step.started_at < since)
        claimed_long_ago = (_attempt.started_at < since, leads(term))
        which = and_(text(allows(StepEvent.SILENCE, Actor.REAPER)), quiet, leads(term))

        def work(connection: Connection) -> list[r.StepRow]:
            steps = _held(connection, which)
            for step in steps:
                connection.execute(update(t.step_executions).where(_step.id == step.id).values(state=_UNREACHABLE))
                data = {"step_execution": step.id}
                insert_event(connection, "step.unreachable", step.execution_id, step.agent_id, data)
            return steps + give_back_claims(connection, *claimed_long_ago)

        return await self.write("mark_unreachable", work)

    async def mark_reachable(self, agent_id: str, attempts: Sequence[str]) -> None:
        may = text(allows(StepEvent.HEAR, Actor.AGENT))
        which = and_(_step.agent_id == agent_id, may, _step.attempt_id.in_(list(attempts)))
        back = text(becomes(StepEvent.HEAR))

        def work(connection: Connection) -> None:
            held = _step.id.in_([step.id for step in _held(connection, which)])
            statement = update(t.step_executions).where(held, may).values(state=back)
            for row in connection.execute(statement.returning(_step.id, _step.execution_id, _step.state)).all():
                insert_event(connection, f"step.{row.state}", row.execution_id, agent_id, {"step_execution": row.id})

        await self.write("mark_reachable", work)

    async def silent(self, at_least: float, at: int | None = None) -> list[r.Silent]:
        moment = moment_of(at)
        accepting = select(t.meta.c.accepting_since).scalar_subquery()
        began = case((_step.started_at > accepting, _step.started_at), else_=accepting)
        heard = func.coalesce(seen(), _step.started_at)
        query = (
            select(t.step_executions, (moment - heard).label("silence"), (moment - began).label("age"))
            .outerjoin(t.agents, _agent.id == _step.agent_id)
            .where(
                or_(
                    _step.state == "unreachable",
                    # What has no timeout may run for ever while its agent is there: it need not be looked at.
                    and_(
                        _step.state.in_(("running", "cancelling")),
                        began < moment - microseconds(at_least),
                        _step.spec.like('%"timeout":%'),
                    ),
                )
            )
        )
        rows = await self.read(lambda connection: connection.execute(query).all())
        return [r.Silent(step_row(row), row.silence / 1_000_000, row.age / 1_000_000) for row in rows]


def waiting_agents(connection: Connection) -> list[str]:
    """Return the agents that have ready steps or cancels to be told of."""
    return list(connection.execute(_WAITING).scalars())


def _wake(connection: Connection) -> list[r.StepRow]:
    steps = [step_row(row) for row in connection.execute(_WAKEN)]
    for step in steps:
        insert_event(connection, "step.ready", step.execution_id, step.agent_id, {"step_execution": step.id})
    return steps
