"""Tasks and their revisions."""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import Connection, Row, func, insert, or_, select, update
from sqlalchemy.exc import IntegrityError

from plumber_core.model import records as r
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import StorePart, dumps, now

_task, _revision, _execution = t.tasks.c, t.revisions.c, t.executions.c
_COLUMNS = (_task.id, _task.name, _task.description, _task.revision, _task.created_at, _task.updated_at)


class TaskPart(StorePart):
    """Implements ``ports.TaskStore``."""

    async def save_task(
        self, row: r.RevisionRow, name: str, description: str, expected: int | None
    ) -> tuple[r.TaskRow, bool] | None:
        def work(connection: Connection) -> tuple[r.TaskRow, bool] | None:
            alive = (_task.name == name, _task.deleted_at.is_(None))
            found = connection.execute(select(*_COLUMNS).where(*alive).with_for_update()).first()
            current = found.revision if found else 0
            if expected is not None and expected != current:
                return None
            if found and _digest(connection, found.id, current) == row.digest:
                return r.TaskRow(*found), False
            task_id = found.id if found else row.task_id
            self._write(connection, task_id, name, description, current + 1, is_new=found is None)
            _insert_revision(connection, row, task_id, current + 1)
            return r.TaskRow(*connection.execute(select(*_COLUMNS).where(_task.id == task_id)).one()), True

        try:
            return await self.write("save_task", work)
        except IntegrityError:  # somebody created the same name in this moment: now it exists
            return await self.write("save_task", work)

    def _write(
        self, connection: Connection, id_: str, name: str, description: str, revision: int, *, is_new: bool
    ) -> None:
        values: dict[str, Any] = {"description": description, "revision": revision, "updated_at": now()}
        if is_new:
            connection.execute(insert(t.tasks).values(id=id_, name=name, created_at=now(), **values))
        else:
            connection.execute(update(t.tasks).where(_task.id == id_).values(**values))

    async def find_task(self, name_or_id: str) -> r.TaskRow | None:
        query = (
            select(*_COLUMNS)
            .where(or_(_task.name == name_or_id, _task.id == name_or_id), _task.deleted_at.is_(None))
            .order_by(_task.name != name_or_id)
            .limit(1)
        )
        row = await self.read(lambda connection: connection.execute(query).first())
        return r.TaskRow(*row) if row else None

    async def find_revision(self, task_id: str, number: int) -> r.RevisionRow | None:
        query = select(t.revisions).where(_revision.task_id == task_id, _revision.number == number)
        row = await self.read(lambda connection: connection.execute(query).first())
        return _revision_row(row) if row else None

    async def list_revisions(self, task_id: str) -> list[r.RevisionRow]:
        query = select(t.revisions).where(_revision.task_id == task_id).order_by(_revision.number.desc())
        rows = await self.look(lambda connection: connection.execute(query).all())
        return [_revision_row(row) for row in rows]

    async def list_tasks(self, search: str, limit: int, after: str | None) -> list[dict[str, Any]]:
        newest = t.executions.alias("newest")
        last = select(newest.c.id).where(newest.c.task_id == _task.id).order_by(newest.c.id.desc()).limit(1)
        query = select(*_COLUMNS, _execution.id.label("last_execution"), _execution.state.label("last_state"))
        query = query.select_from(t.tasks.outerjoin(t.executions, _execution.id == last.scalar_subquery()))
        query = query.where(_task.deleted_at.is_(None))
        if search:
            query = query.where(func.lower(_task.name).contains(search.lower(), autoescape=True))
        if after is not None:
            query = query.where(_task.name > after)
        query = query.order_by(_task.name).limit(limit)
        rows = await self.look(lambda connection: connection.execute(query).all())
        return [dict(row._mapping) for row in rows]

    async def delete_task(self, id: str) -> bool:
        statement = update(t.tasks).where(_task.id == id, _task.deleted_at.is_(None)).values(deleted_at=now())
        return await self.write("delete_task", lambda connection: connection.execute(statement).rowcount == 1)


def _digest(connection: Connection, task: str, number: int) -> str | None:
    query = select(_revision.digest).where(_revision.task_id == task, _revision.number == number)
    return connection.execute(query).scalar_one_or_none()


def _insert_revision(connection: Connection, row: r.RevisionRow, task_id: str, number: int) -> None:
    connection.execute(
        insert(t.revisions).values(
            task_id=task_id,
            number=number,
            format=row.format,
            source=row.source,
            definition=dumps(row.definition),
            digest=row.digest,
            author=row.author,
            note=row.note,
            created_at=now(),
        )
    )


def _revision_row(row: Row[Any]) -> r.RevisionRow:
    values = dict(row._mapping)
    return r.RevisionRow(**{**values, "definition": json.loads(values["definition"])})
