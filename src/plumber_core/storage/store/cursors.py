"""How far those who follow the event log have come; a cursor moves in one transaction with what follows from it."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Connection, and_, func, select, text, tuple_, update

from plumber_core.model import notices as n
from plumber_core.model import records as r
from plumber_core.model.event_place import cursor_of, parse_cursor
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import StorePart, dumps, insert_event, now
from plumber_core.storage.store.events import last_cursor
from plumber_core.storage.store.reaper import leads

_cursor, _event = t.event_cursors.c, t.events.c
_BEGIN = text(
    "INSERT INTO event_cursors (name, xid, event_id, moved_at) VALUES (:name, :xid, :event, plumber_now()) "
    "ON CONFLICT (name) DO NOTHING"
)
_WELL: dict[str, Any] = {"failures": 0, "failing_since": None, "error": None}


class CursorPart(StorePart):
    """Implements the part of ``ports.NoticeStore`` that follows events."""

    async def begin_cursor(self, name: str) -> str:
        query = select(_cursor.xid, _cursor.event_id).where(_cursor.name == name)

        def work(connection: Connection) -> str:
            xid, event = parse_cursor(last_cursor(connection))
            connection.execute(_BEGIN, {"name": name, "xid": xid, "event": event})
            return cursor_of(tuple(connection.execute(query).one()))

        return await self.write("begin_cursor", work)

    async def events_of(self, cursor: str, kinds: Collection[str] | None, limit: int) -> n.EventPage:
        place = tuple_(_event.xid, _event.id)

        def work(connection: Connection) -> n.EventPage:
            end = max(parse_cursor(cursor), parse_cursor(last_cursor(connection)))
            query = select(t.events).where(place > tuple_(*parse_cursor(cursor)), place <= tuple_(*end))
            if kinds is not None:
                query = query.where(_event.kind.in_(list(kinds)))
            rows = connection.execute(query.order_by(_event.xid, _event.id).limit(limit)).all()
            found = tuple(map(_event_row, rows))
            whole = len(found) < limit
            moment = int(connection.execute(select(now())).scalar_one())
            return n.EventPage(found, cursor_of(end) if whole else found[-1].cursor, moment, whole)

        return await self.read(work)

    async def move_cursor(
        self, term: r.Term, name: str, before: str, after: str, deliveries: Sequence[n.NewDelivery] = ()
    ) -> bool:
        xid, event = parse_cursor(after)
        values = {"xid": xid, "event_id": event, "moved_at": now(), **_WELL}
        moved = update(t.event_cursors).where(_at(name, before), leads(term)).values(**values)

        def work(connection: Connection) -> bool:
            if connection.execute(moved).rowcount != 1:
                return False
            for one in deliveries:
                insert_delivery(connection, one)
            return True

        return await self.write("move_cursor", work)

    async def cursor_stuck(self, term: r.Term, name: str, error: str) -> None:
        since = func.coalesce(_cursor.failing_since, now(), type_=BigInteger)
        values = {"failures": _cursor.failures + 1, "failing_since": since, "error": error}
        statement = update(t.event_cursors).where(_cursor.name == name, leads(term)).values(**values)
        await self.write("cursor_stuck", lambda connection: connection.execute(statement) and None)

    async def unstick(self, name: str, before: str, after: str, kind: str, told: dict[str, Any]) -> bool:
        xid, event = parse_cursor(after)
        values = {"xid": xid, "event_id": event, "moved_at": now(), **_WELL}
        stuck = and_(_at(name, before), _cursor.failing_since.is_not(None))
        moved = update(t.event_cursors).where(stuck).values(**values)

        def work(connection: Connection) -> bool:
            if connection.execute(moved).rowcount != 1:
                return False
            insert_event(connection, kind, None, None, told)
            return True

        return await self.write("unstick", work)

    async def list_cursors(self) -> list[n.CursorRow]:
        query = select(t.event_cursors).order_by(_cursor.name)
        rows = await self.look(lambda connection: connection.execute(query).all())
        return [
            n.CursorRow(
                name=row.name,
                cursor=cursor_of((row.xid, row.event_id)),
                moved_at=row.moved_at,
                failures=row.failures,
                failing_since=row.failing_since,
                error=row.error,
            )
            for row in rows
        ]


def insert_delivery(connection: Connection, new: n.NewDelivery, *, hold: int = 0) -> None:
    """Write a delivery that is due now, or in ``hold`` microseconds; one with an error has failed already."""
    failed = new.error is not None
    values = {
        "id": new.id,
        "channel": new.channel,
        "occasion": new.occasion,
        "execution_id": new.execution_id,
        "facts": dumps(new.facts),
        "state": "failed" if failed else "pending",
        "error": new.error,
        "attempts": 1 if hold else 0,
        "created_at": now(),
        "due_at": now() + hold,
        "ended_at": now() if failed else None,
    }
    connection.execute(t.deliveries.insert().values(**values))
    if failed:
        tell_failed(connection, new.id, new.channel, new.execution_id, new.error or "")


def tell_failed(connection: Connection, id: str, channel: str, execution: str | None, error: str) -> None:
    """Put into the event log that a notification will not arrive."""
    insert_event(connection, "notification.failed", execution, None, {"id": id, "channel": channel, "error": error})


def _at(name: str, cursor: str) -> ColumnElement[bool]:
    xid, event = parse_cursor(cursor)
    return and_(_cursor.name == name, _cursor.xid == xid, _cursor.event_id == event)


def _event_row(row: Any) -> r.EventRow:
    cursor = cursor_of((row.xid, row.id))
    return r.EventRow(cursor, row.at, row.kind, row.execution_id, row.agent_id, json.loads(row.data))
