"""The event log. Places are of transaction and event: ids alone would not order events as they became visible, for a
lower id may commit after a higher one was read."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import BigInteger, Connection, func, select, tuple_

from plumber_core.model import records as r
from plumber_core.model.event_place import START, cursor_of, parse_cursor
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import StorePart, insert_event

_event = t.events.c


class EventPart(StorePart):
    """Implements ``ports.EventStore``."""

    async def events_after(self, cursor: str, execution_id: str | None, limit: int) -> list[r.EventRow]:
        xid, id_ = parse_cursor(cursor)
        query = select(t.events).where(
            tuple_(_event.xid, _event.id) > tuple_(xid, id_),
            _event.xid < func.plumber_visible(type_=BigInteger),
        )
        if execution_id is not None:
            query = query.where(_event.execution_id == execution_id)
        query = query.order_by(_event.xid, _event.id).limit(limit)
        rows = await self.look(lambda connection: connection.execute(query).all())
        return [
            r.EventRow(
                cursor_of((row.xid, row.id)), row.at, row.kind, row.execution_id, row.agent_id, json.loads(row.data)
            )
            for row in rows
        ]

    async def last_event(self) -> str:
        return await self.look(last_cursor)

    async def add_event(self, kind: str, execution_id: str | None, agent_id: str | None, data: dict[str, Any]) -> None:
        def work(connection: Connection) -> None:
            insert_event(connection, kind, execution_id, agent_id, data)

        await self.write("add_event", work)


def last_cursor(connection: Connection) -> str:
    """Return the cursor of the newest visible event."""
    query = (
        select(_event.xid, _event.id)
        .where(_event.xid < func.plumber_visible(type_=BigInteger))
        .order_by(_event.xid.desc(), _event.id.desc())
        .limit(1)
    )
    row = connection.execute(query).first()
    return cursor_of((row.xid, row.id) if row else START)
