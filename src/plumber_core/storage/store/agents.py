"""The fleet."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.exc import IntegrityError

from plumber_core.model import records as r
from plumber_core.model.states import LIVE_STEP_STATES, AgentState
from plumber_core.storage import tables as t
from plumber_core.storage.script import macros
from plumber_core.storage.store.base import (
    StorePart,
    attempt_row,
    dumps,
    insert_event,
    microseconds,
    now,
    step_row,
)
from plumber_core.storage.store.credentials import insert_credential
from plumber_core.storage.store.reaper import lead, waiting_agents

Value = TypeVar("Value", float, tuple[float, float])
_agent, _step = t.agents.c, t.step_executions.c
_JSON = ("labels", "facts", "executors")
_LIVE = tuple(sorted(LIVE_STEP_STATES))
SERVER_SEEN = 3
"""Intervals between sweeps for which a server counts as alive, and a leader leads."""
LEADER = "leader"
_SEEN = """
UPDATE agents SET last_seen_at = plumber_now() - CAST(heard.value->>'ago' AS BIGINT)
FROM {rows:heard} WHERE agents.id = heard.value->>'id' AND agents.id {in:heard.id}"""
_STANDINGS = select(_agent.id, _agent.state, _agent.conflict, _agent.session)
AWAY_AFTER = 2
"""When no server has swept for so many intervals, none could hear an agent: silence before now says nothing."""


def awaited() -> ColumnElement[bool]:
    """The condition that an agent has not told what it ran since the database lost commits, and nobody waived that."""
    epoch = select(t.meta.c.epoch).scalar_subquery()
    return and_(_agent.session.is_not(None), _agent.session_epoch < epoch)


def _query() -> Select[Any]:
    running = (
        select(func.count(type_=BigInteger))
        .where(_step.agent_id == _agent.id, _step.state.in_(_LIVE))
        .correlate(t.agents)
        .scalar_subquery()
    )
    strays = select(t.strays.c.agent_id, func.count().label("strays")).group_by(t.strays.c.agent_id).subquery()
    columns = (running.label("running"), awaited().label("awaited"), func.coalesce(strays.c.strays, 0).label("strays"))
    return select(t.agents, *columns).outerjoin(strays, strays.c.agent_id == _agent.id)


# Made once: to make a statement takes longer than to run it, and greetings and sweeps come by the thousand.
_ALL = _query().order_by(_agent.name)
_ONE = _query().where(_agent.id == bindparam("agent"))
_LOCKED = _ONE.with_for_update(of=t.agents)
_GREETED = update(t.agents).where(_agent.id == bindparam("agent")).values(last_seen_at=now())
_EPOCH = select(t.meta.c.epoch)
_SERVER = t.servers.c
_NEWEST = select(func.max(_SERVER.seen_at), now())
_ACCEPTING = update(t.meta).values(accepting_since=now())
_LEAVE = delete(t.servers).where(_SERVER.id == bindparam("server"))
_JOIN = insert(t.servers).values(seen_at=now())
_ALIVE = select(func.count(), now()).select_from(t.servers).where(_SERVER.seen_at > now() - bindparam("within"))
_LIVE_STEPS = (
    select(t.step_executions, t.attempts, t.executions.c.kill_requested)
    .join(t.attempts, t.attempts.c.id == _step.attempt_id)
    .join(t.executions, t.executions.c.id == _step.execution_id)
    .where(_step.agent_id == bindparam("agent"), _step.state.in_(_LIVE))
    .order_by(_step.id)
)


class AgentPart(StorePart):
    """Implements ``ports.AgentStore``."""

    async def add_agent(self, agent: r.AgentRow, secret: str) -> bool:
        def work(connection: Connection) -> None:
            insert_agent(connection, agent)
            insert_credential(connection, "agent", agent.id, secret, name=agent.name, seconds=None, data={})

        try:
            await self.write("add_agent", work)
        except IntegrityError:
            return False
        return True

    async def find_agents(self, ids: Collection[str]) -> tuple[list[r.AgentRow], int]:
        query = _query().where(_agent.id.in_(sorted(ids)))

        def work(connection: Connection) -> tuple[list[r.AgentRow], int]:
            rows = [agent_row(row) for row in connection.execute(query)]
            return rows, int(connection.execute(select(now())).scalar_one())

        return await self.look(work)

    async def find_agent(self, name_or_id: str) -> r.AgentRow | None:
        which = or_(_agent.name == name_or_id, _agent.id == name_or_id)
        query = _query().where(which).order_by(_agent.name != name_or_id).limit(1)
        row = await self.read(lambda connection: connection.execute(query).first())
        return agent_row(row) if row else None

    async def list_agents(self) -> tuple[int, list[r.AgentRow]]:
        def work(connection: Connection) -> tuple[int, list[r.AgentRow]]:
            version = connection.execute(select(t.meta.c.fleet_version)).scalar_one()
            rows = connection.execute(_ALL).all()
            return version, [agent_row(row) for row in rows]

        return await self.read(work)

    async def update_agent(self, id: str, values: dict[str, Any]) -> bool:
        def work(connection: Connection) -> None:
            connection.execute(update(t.agents).where(_agent.id == id).values(**_encoded(values)))
            bump_fleet(connection)

        try:
            await self.write("update_agent", work)
        except IntegrityError:
            return False
        return True

    async def set_agent_state(self, id: str, state: AgentState, sources: Sequence[AgentState]) -> bool:
        values: dict[str, Any] = {"state": state.value}
        if state is AgentState.REVOKED:
            values |= {"session": None, "previous_session": None}

        def work(connection: Connection) -> bool:
            which = (_agent.id == id, _agent.state.in_([source.value for source in sources]))
            changed = connection.execute(update(t.agents).where(*which).values(**values)).rowcount == 1
            if changed:
                bump_fleet(connection)
                insert_event(connection, f"agent.{state.value}", None, id, {})
            if changed and state is AgentState.REVOKED:
                credentials = t.credentials.c
                owned = update(t.credentials).where(credentials.owner == id, credentials.kind == "agent")
                connection.execute(owned.values(revoked_at=now()))
            return changed

        return await self.write("set_agent_state", work)

    async def waive_inventory(self, id: str, by: str) -> bool:
        epoch = select(t.meta.c.epoch).scalar_subquery()
        # Should one of ours come back all the same, it greets without a session and tells everything then.
        session = case((_agent.original, _agent.session), else_=None)
        waived = update(t.agents).where(_agent.id == id, awaited()).values(session=session, session_epoch=epoch)

        def work(connection: Connection) -> bool:
            if connection.execute(waived).rowcount != 1:
                return False
            insert_event(connection, "agent.inventory_waived", None, id, {"by": by})
            return True

        return await self.write("waive_inventory", work)

    async def rotate_agent(self, id: str, secret: str) -> None:
        await self.write(
            "rotate_agent", lambda c: insert_credential(c, "agent", id, secret, name="", seconds=None, data={}) and None
        )

    async def delete_agent(self, id: str) -> bool:
        unfinished = _step.state.in_((*_LIVE, "ready", "retry_wait"))
        busy = select(_step.id).where(_step.agent_id == id, unfinished).limit(1)

        def work(connection: Connection) -> bool:
            if connection.execute(busy).first() is not None:
                return False
            credentials = t.credentials.c
            connection.execute(delete(t.credentials).where(credentials.owner == id, credentials.kind == "agent"))
            connection.execute(delete(t.agents).where(_agent.id == id))
            bump_fleet(connection)
            insert_event(connection, "agent.deleted", None, id, {})
            return True

        return await self.write("delete_agent", work)

    async def open_session(
        self, id: str, decide: Callable[[r.AgentRow, int], dict[str, Any] | None]
    ) -> tuple[r.AgentRow, int] | None:
        def work(connection: Connection) -> tuple[r.AgentRow, int] | None:
            row = connection.execute(_LOCKED, {"agent": id}).first()
            if row is None:
                return None
            epoch = connection.execute(_EPOCH).scalar_one()
            before = agent_row(row)
            values = decide(before, epoch)
            if values:
                connection.execute(_GREETED, {"agent": id, **_encoded(values)})
                if any(name in values and values[name] != getattr(before, name) for name in ("facts", "original")):
                    bump_fleet(connection)
            return agent_row(connection.execute(_ONE, {"agent": id}).one()), epoch

        return await self.write("hello", work)

    async def presence(
        self, server: str, heard: dict[str, float], interval: float, loads: dict[str, tuple[float, float]]
    ) -> r.Presence:
        def work(connection: Connection) -> r.Presence:
            if heard:
                ago = [{"id": id_, "ago": microseconds(seconds)} for id_, seconds in sorted(heard.items())]
                connection.execute(text(macros(_SEEN, connection.dialect.name)), {"heard": dumps(ago)})
            for (cpu, memory), ids in _by_value(loads):
                connection.execute(update(t.agents).where(_agent.id.in_(ids)).values(load=cpu, memory=memory))
            newest, moment = connection.execute(_NEWEST).one()
            if newest is None or newest < moment - microseconds(AWAY_AFTER * interval):
                connection.execute(_ACCEPTING)
            connection.execute(_LEAVE, {"server": server})
            connection.execute(_JOIN, {"id": server})
            replicas, at = connection.execute(_ALIVE, {"within": microseconds(SERVER_SEEN * interval)}).one()
            term = lead(connection, LEADER, server, SERVER_SEEN * interval)
            return r.Presence(int(replicas), int(at), term, waiting_agents(connection))

        return await self.write("presence", work)

    async def standings(self) -> dict[str, r.Standing]:
        rows = await self.read(lambda connection: connection.execute(_STANDINGS).all())
        return {row.id: r.Standing(AgentState(row.state), row.conflict, row.session) for row in rows}

    async def forget_server(self, server: str) -> None:
        """Remove a replica that stops."""
        await self.write("forget_server", lambda connection: connection.execute(_LEAVE, {"server": server}) and None)

    async def live_steps(self, agent_id: str) -> list[tuple[r.StepRow, r.AttemptRow]]:
        rows = await self.read(lambda connection: connection.execute(_LIVE_STEPS, {"agent": agent_id}).all())
        return [(replace(step_row(row), kill_requested=row.kill_requested), attempt_row(row)) for row in rows]


def _by_value(values: dict[str, Value]) -> list[tuple[Value, list[str]]]:
    """Return each value with the ids that have it: one statement serves them all, in the same order everywhere."""
    ids: dict[Value, list[str]] = defaultdict(list)
    for id_, value in values.items():
        ids[value].append(id_)
    return sorted(ids.items())


def insert_agent(connection: Connection, agent: r.AgentRow) -> None:
    """Insert an agent in the caller's transaction."""
    values = {
        "id": agent.id,
        "name": agent.name,
        "labels": agent.labels,
        "facts": agent.facts,
        "slots": agent.slots,
        "original": agent.original,
    }
    connection.execute(insert(t.agents).values(created_at=now(), **_encoded(values)))
    bump_fleet(connection)
    insert_event(connection, "agent.created", None, agent.id, {"name": agent.name})


def session_holds(agent: Any, session: str) -> ColumnElement[bool]:
    """The condition that a session is its agent's current one, of the present epoch."""
    epoch = select(t.meta.c.epoch).scalar_subquery()
    return and_(_agent.id == agent, _agent.session == session, _agent.session_epoch == epoch)


def bump_fleet(connection: Connection) -> None:
    """Say that targets resolved before this moment may be stale."""
    connection.execute(update(t.meta).values(fleet_version=t.meta.c.fleet_version + 1))


def _encoded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: dumps(value) if name in _JSON else value for name, value in values.items()}


def agent_row(row: Row[Any]) -> r.AgentRow:
    """Read a row of ``agents`` with its count of live attempts."""
    values = dict(row._mapping)
    values.pop("boot_id")
    values["awaited"] = bool(values["awaited"])
    values |= {name: json.loads(values[name]) for name in _JSON}
    return r.AgentRow(**{**values, "state": AgentState(values["state"])})
