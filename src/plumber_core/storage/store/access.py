"""Users and credentials."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, Select, and_, or_, select, update
from sqlalchemy.exc import IntegrityError

from plumber_core.ids import new_id
from plumber_core.model import records as r
from plumber_core.storage import tables as t
from plumber_core.storage.store.agents import insert_agent
from plumber_core.storage.store.base import StorePart, microseconds, now
from plumber_core.storage.store.credentials import insert_credential

_credential = t.credentials.c
_ALIVE = and_(_credential.revoked_at.is_(None), or_(_credential.expires_at.is_(None), _credential.expires_at > now()))


class AccessPart(StorePart):
    """Implements ``ports.AccessStore``."""

    async def ensure_user(self, username: str, password_hash: str) -> bool:
        def work(connection: Connection) -> bool:
            if connection.execute(select(t.users.c.id).where(t.users.c.username == username)).first():
                return False
            values = {
                "id": new_id(),
                "username": username,
                "password_hash": password_hash,
                "created_at": now(),
            }
            connection.execute(t.users.insert().values(values))
            return True

        try:
            return await self.write("ensure_user", work)
        except IntegrityError:
            return False

    async def find_user(self, username: str) -> r.UserRow | None:
        query = select(t.users.c.id, t.users.c.username, t.users.c.password_hash).where(t.users.c.username == username)
        row = await self.read(lambda connection: connection.execute(query).first())
        return r.UserRow(*row) if row else None

    async def set_password(self, user: str, password_hash: str, keep: str | None) -> None:
        def work(connection: Connection) -> None:
            connection.execute(update(t.users).where(t.users.c.id == user).values(password_hash=password_hash))
            others = and_(_credential.owner == user, _credential.kind == "session", _credential.id != (keep or ""))
            connection.execute(update(t.credentials).where(others).values(revoked_at=now()))

        await self.write("set_password", work)

    async def add_credential(
        self, kind: str, owner: str, secret: str, *, name: str, seconds: float | None, data: dict[str, Any]
    ) -> r.CredentialRow:
        def work(connection: Connection) -> r.CredentialRow:
            id_ = insert_credential(connection, kind, owner, secret, name=name, seconds=seconds, data=data)
            return _row(connection.execute(_query().where(_credential.id == id_)).one())

        return await self.write("add_credential", work)

    async def find_credential(self, secret: str) -> r.CredentialRow | None:
        query = _query().where(_credential.secret_hash == secret, _ALIVE)
        row = await self.read(lambda connection: connection.execute(query).first())
        return _row(row) if row else None

    async def list_credentials(self, kind: str, owner: str) -> list[r.CredentialRow]:
        query = _query().where(_credential.kind == kind, _credential.owner == owner, _ALIVE)
        rows = await self.read(lambda connection: connection.execute(query.order_by(_credential.id)).all())
        return [_row(row) for row in rows]

    async def revoke_credential(self, id: str, owner: str | None = None) -> bool:
        which = and_(_credential.id == id, _credential.revoked_at.is_(None))
        if owner is not None:
            which = and_(which, _credential.owner == owner)
        statement = update(t.credentials).where(which).values(revoked_at=now())
        return await self.write("revoke_credential", lambda connection: connection.execute(statement).rowcount == 1)

    async def touch_agent_credential(self, id: str, agent: str) -> None:
        """Note the first use of an agent's credential: from now on its older ones are refused.

        Of two copies of an agent it is the operator's word for which one is real: the chain of sessions begins anew.
        """
        older = and_(
            _credential.owner == agent,
            _credential.kind == "agent",
            _credential.id < id,
            _credential.revoked_at.is_(None),
        )

        def work(connection: Connection) -> None:
            connection.execute(update(t.credentials).where(_credential.id == id).values(last_used_at=now()))
            connection.execute(update(t.credentials).where(older).values(revoked_at=now()))
            doubted = update(t.agents).where(t.agents.c.id == agent, t.agents.c.conflict.is_(True))
            connection.execute(doubted.values(conflict=False, session=None, previous_session=None))

        await self.write("touch_agent_credential", work)

    async def use_enrolment(self, secret: str, agent: r.AgentRow, agent_secret: str) -> str | None:
        spend = (
            update(t.credentials)
            .where(
                _credential.secret_hash == secret,
                _credential.kind == "enrolment",
                _credential.used_at.is_(None),
                _ALIVE,
            )
            .values(used_at=now())
        )

        def work(connection: Connection) -> str | None:
            if connection.execute(spend).rowcount != 1:
                return "token"
            insert_agent(connection, agent)
            insert_credential(connection, "agent", agent.id, agent_secret, name=agent.name, seconds=None, data={})
            return None

        try:
            return await self.write("use_enrolment", work)
        except IntegrityError:
            return "name"

    async def sweep_credentials(self) -> None:
        """Delete what expired more than a day ago."""
        old = t.credentials.delete().where(_credential.expires_at < now() - microseconds(86400))
        await self.write("sweep_credentials", lambda connection: connection.execute(old) and None)


def _query() -> Select[Any]:
    owner = t.credentials.outerjoin(t.users, t.users.c.id == _credential.owner)
    return select(t.credentials, t.users.c.username).select_from(owner)


def _row(row: Row[Any]) -> r.CredentialRow:
    return r.CredentialRow(
        id=row.id,
        kind=row.kind,
        owner=row.owner,
        name=row.name,
        created_at=row.created_at,
        expires_at=row.expires_at,
        last_used_at=row.last_used_at,
        used_at=row.used_at,
        data=json.loads(row.data),
        username=row.username or "",
    )
