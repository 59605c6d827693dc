"""A database that forgets: everything in it is put back to an earlier moment, as a restore would."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from plumber_core.app import Plumber
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import now

Moment = dict[str, list[dict[str, Any]]]


async def remember(plumber: Plumber) -> Moment:
    """Return everything that a database holds now."""

    def work(connection: Connection) -> Moment:
        tables = t.metadata.sorted_tables
        return {table.name: [dict(row._mapping) for row in connection.execute(select(table))] for table in tables}

    return await plumber._store.database.snapshot(work)


async def go_back(plumber: Plumber, moment: Moment) -> None:
    """Put everything back to that moment, and raise the epoch, which is what is noticed of it."""

    def work(connection: Connection) -> int:
        before, at = connection.execute(select(t.meta.c.epoch, now())).one()
        epoch = max(before + 1, at // 1000)
        for table in reversed(t.metadata.sorted_tables):
            connection.execute(delete(table))
        for table in t.metadata.sorted_tables:
            if moment[table.name]:
                connection.execute(insert(table), moment[table.name])
        until = max((event["at"] for event in moment["events"]), default=0)
        connection.execute(update(t.meta).values(epoch=epoch, known_until=until or now()))
        return int(epoch)

    plumber._engine.learn_epoch(await plumber._store.database.write(work))
