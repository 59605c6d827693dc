"""Saved groups."""

from __future__ import annotations

from sqlalchemy import Connection, bindparam, delete, select, text

from plumber_core.model import records as r
from plumber_core.storage import tables as t
from plumber_core.storage.store.agents import bump_fleet
from plumber_core.storage.store.base import StorePart, insert_event

_group = t.target_groups.c
_ALL = select(t.target_groups).order_by(_group.name)
_ONE = select(t.target_groups).where(_group.name == bindparam("name"))
_SAVE = text("""
INSERT INTO target_groups (name, expression, description, updated_by, updated_at)
VALUES (:name, :expression, :description, :updated_by, plumber_now())
ON CONFLICT (name) DO UPDATE SET expression = excluded.expression, description = excluded.description,
  updated_by = excluded.updated_by, updated_at = excluded.updated_at""")


class GroupPart(StorePart):
    """Implements ``ports.GroupStore``."""

    async def list_groups(self) -> list[r.GroupRow]:
        rows = await self.read(lambda connection: connection.execute(_ALL).all())
        return [r.GroupRow(**row._mapping) for row in rows]

    async def save_group(self, group: r.GroupRow) -> r.GroupRow:
        values = {name: getattr(group, name) for name in ("name", "expression", "description", "updated_by")}

        def work(connection: Connection) -> r.GroupRow:
            connection.execute(_SAVE, values)
            bump_fleet(connection)
            insert_event(connection, "group.saved", None, None, values)
            return r.GroupRow(**connection.execute(_ONE, {"name": group.name}).one()._mapping)

        return await self.write("save_group", work)

    async def delete_group(self, name: str, by: str) -> bool:
        def work(connection: Connection) -> bool:
            if connection.execute(delete(t.target_groups).where(_group.name == name)).rowcount != 1:
                return False
            bump_fleet(connection)
            insert_event(connection, "group.deleted", None, None, {"name": name, "by": by})
            return True

        return await self.write("delete_group", work)
