"""What is deleted because it is old: executions that have ended, with everything in them, piece by piece."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, insert, or_, select, tuple_

from plumber_core.ids import first_id_at
from plumber_core.model import records as r
from plumber_core.model.states import TERMINAL_EXECUTION_STATES
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import StorePart, microseconds, now
from plumber_core.storage.store.reaper import leads

_execution, _step, _attempt, _chunk = t.executions.c, t.step_executions.c, t.attempts.c, t.log_chunks.c
_event, _gone = t.events.c, t.deleted_executions.c
_ENDED = [state.value for state in TERMINAL_EXECUTION_STATES]
ROWS = 1000
"""Deleted in one transaction, so that nobody waits long for it."""
CHUNKS = 100
"""Of logs, which hold up to 1 MiB each."""


class RetentionPart(StorePart):
    """Implements ``ports.RetentionStore``."""

    async def old_executions(self, seconds: float, last: int, limit: int) -> list[tuple[str, str]]:
        def work(connection: Connection) -> list[tuple[str, str]]:
            before = connection.execute(select(now() - microseconds(seconds))).scalar_one()
            newer = t.executions.alias()
            younger = (
                select(newer.c.id).where(newer.c.task_id == _execution.task_id, newer.c.id > _execution.id).limit(last)
            )
            enough = select(func.count()).select_from(younger.correlate(t.executions).subquery()).scalar_subquery()
            query = (
                select(_execution.id, _execution.task)
                .where(_execution.id < first_id_at(before / 1_000_000), _execution.state.in_(_ENDED))
                .where(_execution.ended_at < before, or_(_execution.task_id.is_(None), enough >= last))
                .order_by(_execution.id)
                .limit(limit)
            )
            return [(row.id, row.task) for row in connection.execute(query)]

        return await self.read(work)

    async def delete_executions(self, term: r.Term, executions: Sequence[str]) -> int | None:
        def work(connection: Connection) -> int | None:
            if not connection.execute(select(leads(term))).scalar_one():
                return None
            left, done = ROWS, 0
            for execution in executions:
                left -= _delete(connection, execution, left)
                if left <= 0:
                    break
                done += 1
            return done

        return await self.write("retention", work)

    async def deleted_at(self, execution: str) -> int | None:
        query = select(_gone.deleted_at).where(_gone.id == execution)
        return await self.read(lambda connection: connection.execute(query).scalar_one_or_none())


def _delete(connection: Connection, execution: str, most: int) -> int:
    """Delete up to ``most`` rows of an execution, the execution itself last; return how many were counted.

    Less than ``most`` means that nothing is left of it.
    """
    ended = and_(_execution.id == execution, _execution.state.in_(_ENDED))
    # Locked, so that nobody resumes what is being deleted; afterwards the mark says so.
    if connection.execute(select(_execution.id).where(ended).with_for_update()).first() is None:
        return 0
    mark = select(_execution.id, _execution.task, now()).where(ended, ~exists().where(_gone.id == execution))
    connection.execute(insert(t.deleted_executions).from_select(["id", "task", "deleted_at"], mark))
    deleted = _delete_chunks(connection, execution)
    if deleted >= CHUNKS:
        return most
    for table, which in _parts(execution):
        deleted += _delete_some(connection, table, which, most - deleted)
        if deleted >= most:
            return most
    for table, which in ((t.progress, t.progress.c.execution_id == execution), (t.executions, ended)):
        connection.execute(delete(table).where(which))
    return deleted + 1


def _parts(execution: str) -> tuple[tuple[Table, ColumnElement[bool]], ...]:
    """Events of steps go with them; what people did to an execution stays in the event log."""
    return (
        (t.attempts, _attempt.execution_id == execution),
        (t.step_executions, _step.execution_id == execution),
        (t.events, and_(_event.execution_id == execution, _event.kind.like("step.%"))),
    )


def _delete_some(connection: Connection, table: Table, which: ColumnElement[bool], most: int) -> int:
    some = select(table.c.id).where(which).limit(max(0, most))
    return int(connection.execute(delete(table).where(table.c.id.in_(some))).rowcount)


def _delete_chunks(connection: Connection, execution: str) -> int:
    mine = select(_attempt.id).where(_attempt.execution_id == execution)
    some = select(_chunk.attempt_id, _chunk.start).where(_chunk.attempt_id.in_(mine)).limit(CHUNKS)
    rows: list[Any] = list(connection.execute(some))
    keys = [(row.attempt_id, row.start) for row in rows]
    if keys:
        connection.execute(delete(t.log_chunks).where(tuple_(_chunk.attempt_id, _chunk.start).in_(keys)))
    return len(keys)
