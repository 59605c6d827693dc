"""What is the same for both databases: reading what one says of itself, and beginning a new epoch in it."""

from __future__ import annotations

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.engine import URL

from plumber_core.crash import crash_point
from plumber_core.errors import InvalidRequest
from plumber_core.storage import tables as t
from plumber_core.storage.backups.manifest import State
from plumber_core.storage.database import connect
from plumber_core.storage.migrate import current_revision, upgrade
from plumber_core.storage.store.base import insert_event, now


def state_of(connection: Connection) -> State:
    """Return what a database says of itself.

    Raises: InvalidRequest (it is not one of Plumber's).
    """
    schema = current_revision(connection)
    if schema is None:
        raise InvalidRequest(field="--database", reason="it holds nothing of Plumber")
    epoch, at = connection.execute(select(t.meta.c.epoch, now())).one()
    return State(connection.dialect.name, schema, epoch, at)


async def begin_epoch(url: URL, before: int) -> int:
    """Bring a restored database to this release's schema and begin an epoch that no agent has heard of.

    Args:
        url: where it is.
        before: the epoch of the database that it replaces, 0 when there was none.
    """
    database = connect(url.render_as_string(hide_password=False))
    await database.open()
    try:
        await database.migrate(upgrade)
        crash_point("server.restored_migrated")
        epoch = await database.write(lambda connection: _begin(connection, before))
        crash_point("server.restored_epoch_written")
    finally:
        await database.close()
    return epoch


def _begin(connection: Connection, before: int) -> int:
    mine, moment = connection.execute(select(t.meta.c.epoch, now())).one()
    epoch = max(mine + 1, before + 1, moment // 1000)
    newest = select(t.events.c.at).order_by(t.events.c.id.desc()).limit(1).scalar_subquery()
    until = func.coalesce(newest, t.meta.c.created_at)
    connection.execute(update(t.meta).values(epoch=epoch, known_until=until, identity=None))
    # Numbers of transactions that another cluster gave would hide these events from everybody who follows.
    connection.execute(update(t.events).where(t.events.c.xid > 0).values(xid=0))
    connection.execute(update(t.event_cursors).where(t.event_cursors.c.xid > 0).values(xid=0))
    connection.execute(delete(t.servers))
    insert_event(connection, "system.epoch", None, None, {"epoch": epoch, "restored": True})
    return int(epoch)
