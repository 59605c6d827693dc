"""The fleet."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import BigInteger, Connection, Row, Select, delete, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from plumber_core.model import records as r
from plumber_core.model.states import LIVE_STEP_STATES, AgentState
from plumber_core.storage import tables as t
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

_agent, _step = t.agents.c, t.step_executions.c
_JSON = ("labels", "facts", "executors")
_LIVE = tuple(sorted(LIVE_STEP_STATES))
SERVER_SEEN = 15.0
AWAY_AFTER = 10.0
"""When no server has swept for this long, none could hear an agent: silence before now says nothing."""


class AgentPart(StorePart):
    """Implements ``ports.AgentStore``."""

    async def add_agent(self, agent: r.AgentRow, secret: str) -> bool:
        def work(connection: Connection) -> None:
            insert_agent(connection, agent)
            insert_credential(connection, "agent", agent.id, secret, name=agent.name, seconds=None, data={})

        try:
            await self.write(work)
        except IntegrityError:
            return False
        return True

    async def find_agent(self, name_or_id: str) -> r.AgentRow | None:
        which = or_(_agent.name == name_or_id, _agent.id == name_or_id)
        query = _query().where(which).order_by(_agent.name != name_or_id).limit(1)
        row = await self.read(lambda connection: connection.execute(query).first())
        return agent_row(row) if row else None

    async def list_agents(self) -> tuple[int, list[r.AgentRow]]:
        def work(connection: Connection) -> tuple[int, list[r.AgentRow]]:
            version = connection.execute(select(t.meta.c.fleet_version)).scalar_one()
            rows = connection.execute(_query().order_by(_agent.name)).all()
            return version, [agent_row(row) for row in rows]

        return await self.read(work)

    async def update_agent(self, id: str, values: dict[str, Any]) -> bool:
        def work(connection: Connection) -> None:
            connection.execute(update(t.agents).where(_agent.id == id).values(**_encoded(values)))
            bump_fleet(connection)

        try:
            await self.write(work)
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

        return await self.write(work)

    async def rotate_agent(self, id: str, secret: str) -> None:
        await self.write(lambda c: insert_credential(c, "agent", id, secret, name="", seconds=None, data={}) and None)

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

        return await self.write(work)

    async def open_session(
        self, id: str, decide: Callable[[r.AgentRow, int], dict[str, Any] | None]
    ) -> tuple[r.AgentRow, int] | None:
        def work(connection: Connection) -> tuple[r.AgentRow, int] | None:
            row = connection.execute(_query().where(_agent.id == id).with_for_update(of=t.agents)).first()
            if row is None:
                return None
            epoch = connection.execute(select(t.meta.c.epoch)).scalar_one()
            before = agent_row(row)
            values = decide(before, epoch)
            if values:
                connection.execute(
                    update(t.agents).where(_agent.id == id).values(**_encoded(values), last_seen_at=now())
                )
                if any(name in values and values[name] != getattr(before, name) for name in ("facts", "original")):
                    bump_fleet(connection)
            return agent_row(connection.execute(_query().where(_agent.id == id)).one()), epoch

        return await self.write(work)

    async def presence(self, server: str, heard: dict[str, float]) -> int:
        def work(connection: Connection) -> int:
            for ago in sorted(set(heard.values())):
                ids = [id_ for id_, seconds in heard.items() if seconds == ago]
                seen = now() - microseconds(ago)
                connection.execute(update(t.agents).where(_agent.id.in_(ids)).values(last_seen_at=seen))
            newest = connection.execute(select(func.max(t.servers.c.seen_at))).scalar_one()
            if newest is None or newest < connection.execute(select(now() - microseconds(AWAY_AFTER))).scalar_one():
                connection.execute(update(t.meta).values(accepting_since=now()))
            connection.execute(delete(t.servers).where(t.servers.c.id == server))
            connection.execute(insert(t.servers).values(id=server, seen_at=now()))
            alive = t.servers.c.seen_at > now() - microseconds(SERVER_SEEN)
            return int(connection.execute(select(func.count()).select_from(t.servers).where(alive)).scalar_one())

        return await self.write(work)

    async def forget_server(self, server: str) -> None:
        """Remove a replica that stops."""
        statement = delete(t.servers).where(t.servers.c.id == server)
        await self.write(lambda connection: connection.execute(statement) and None)

    async def live_steps(self, agent_id: str) -> list[tuple[r.StepRow, r.AttemptRow]]:
        query = (
            select(t.step_executions, t.attempts, t.executions.c.kill_requested)
            .join(t.attempts, t.attempts.c.id == _step.attempt_id)
            .join(t.executions, t.executions.c.id == _step.execution_id)
            .where(_step.agent_id == agent_id, _step.state.in_(_LIVE))
            .order_by(_step.id)
        )
        rows = await self.read(lambda connection: connection.execute(query).all())
        return [(replace(step_row(row), kill_requested=row.kill_requested), attempt_row(row)) for row in rows]


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


def bump_fleet(connection: Connection) -> None:
    """Say that targets resolved before this moment may be stale."""
    connection.execute(update(t.meta).values(fleet_version=t.meta.c.fleet_version + 1))


def _encoded(values: dict[str, Any]) -> dict[str, Any]:
    return {name: dumps(value) if name in _JSON else value for name, value in values.items()}


def _query() -> Select[Any]:
    running = (
        select(func.count(type_=BigInteger))
        .where(_step.agent_id == _agent.id, _step.state.in_(_LIVE))
        .correlate(t.agents)
        .scalar_subquery()
    )
    return select(t.agents, running.label("running"))


def agent_row(row: Row[Any]) -> r.AgentRow:
    """Read a row of ``agents`` with its count of live attempts."""
    values = dict(row._mapping)
    values.pop("boot_id")
    values |= {name: json.loads(values[name]) for name in _JSON}
    return r.AgentRow(**{**values, "state": AgentState(values["state"])})
