"""Notifications on their way: claimed by whichever replica is free, ended once."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import Connection, Row, delete, func, select, tuple_, update

from plumber_core.model import notices as n
from plumber_core.model import records as r
from plumber_core.model.event_place import parse_cursor
from plumber_core.storage import tables as t
from plumber_core.storage.store.base import StorePart, attempt_row, microseconds, now, step_row
from plumber_core.storage.store.cursors import insert_delivery, tell_failed

_delivery, _execution, _step, _event = t.deliveries.c, t.executions.c, t.step_executions.c, t.events.c
_PENDING = _delivery.state == "pending"
_FAILED = ("failed", "timed_out", "rejected", "expired", "lost")


class DeliveryPart(StorePart):
    """Implements the part of ``ports.NoticeStore`` that delivers."""

    async def due_channels(self, channels: Collection[str]) -> list[str]:
        mine = _delivery.channel.in_(list(channels))
        query = select(_delivery.channel).distinct().where(_PENDING, _delivery.due_at <= now(), mine)
        return list(await self.read(lambda connection: connection.execute(query).scalars().all()))

    async def claim_delivery(self, channel: str, seconds: float) -> n.DeliveryRow | None:
        due = select(_delivery.id).where(_PENDING, _delivery.channel == channel, _delivery.due_at <= now())
        first = due.order_by(_delivery.due_at, _delivery.id).limit(1).with_for_update(skip_locked=True)
        taken = {"due_at": now() + microseconds(seconds), "attempts": _delivery.attempts + 1}

        def work(connection: Connection) -> n.DeliveryRow | None:
            id_ = connection.execute(first).scalar_one_or_none()
            if id_ is None:
                return None
            statement = update(t.deliveries).where(_delivery.id == id_).values(**taken)
            return _row(connection.execute(statement.returning(t.deliveries)).one())

        return await self.write("claim_delivery", work)

    async def end_delivery(self, delivery: n.DeliveryRow, error: str | None, again: float | None) -> None:
        which = [_delivery.id == delivery.id, _PENDING]
        values: dict[str, Any] = {"error": error}
        if error is None:
            values |= {"state": "sent", "ended_at": now()}
        else:
            which.append(_delivery.attempts == delivery.attempts)
            values |= (
                {"state": "failed", "ended_at": now()} if again is None else {"due_at": now() + microseconds(again)}
            )

        def work(connection: Connection) -> None:
            ended = connection.execute(update(t.deliveries).where(*which).values(**values)).rowcount == 1
            if ended and values.get("state") == "failed":
                tell_failed(connection, delivery.id, delivery.channel, delivery.execution_id, error or "")

        await self.write("end_delivery", work)

    async def give_up_deliveries(self, seconds: float, error: str) -> int:
        values = {"state": "failed", "ended_at": now(), "error": func.coalesce(_delivery.error, error)}
        old = (_PENDING, _delivery.created_at < now() - microseconds(seconds))
        statement = update(t.deliveries).where(*old).values(**values).returning(t.deliveries)

        def work(connection: Connection) -> int:
            rows = [_row(row) for row in connection.execute(statement).all()]
            for row in rows:
                tell_failed(connection, row.id, row.channel, row.execution_id, row.error or "")
            return len(rows)

        return await self.write("give_up_deliveries", work)

    async def delete_deliveries(self, seconds: float) -> None:
        old = (_delivery.state != "pending", _delivery.ended_at < now() - microseconds(seconds))
        statement = delete(t.deliveries).where(*old)
        await self.write("delete_deliveries", lambda connection: connection.execute(statement) and None)

    async def retry_delivery(self, id: str) -> n.DeliveryRow | None:
        values = {"state": "pending", "due_at": now(), "ended_at": None, "created_at": now(), "attempts": 0}
        unsent = (_delivery.id == id, _delivery.state != "sent")
        statement = update(t.deliveries).where(*unsent).values(**values).returning(t.deliveries)
        row = await self.write("retry_delivery", lambda connection: connection.execute(statement).first())
        return None if row is None else _row(row)

    async def add_delivery(self, new: n.NewDelivery, seconds: float) -> n.DeliveryRow:
        def work(connection: Connection) -> n.DeliveryRow:
            insert_delivery(connection, new, hold=microseconds(seconds))
            return _row(connection.execute(select(t.deliveries).where(_delivery.id == new.id)).one())

        return await self.write("add_delivery", work)

    async def find_delivery(self, id: str) -> n.DeliveryRow | None:
        query = select(t.deliveries).where(_delivery.id == id)
        row = await self.look(lambda connection: connection.execute(query).first())
        return None if row is None else _row(row)

    async def list_deliveries(
        self, state: str | None, channel: str | None, limit: int, before: str | None
    ) -> list[n.DeliveryRow]:
        query = select(t.deliveries).order_by(_delivery.id.desc()).limit(limit)
        if state is not None:
            query = query.where(_delivery.state == state)
        if channel is not None:
            query = query.where(_delivery.channel == channel)
        if before is not None:
            query = query.where(_delivery.id < before)
        return [_row(row) for row in await self.look(lambda connection: connection.execute(query).all())]

    async def channel_counts(self) -> dict[str, n.ChannelCount]:
        states = select(_delivery.channel, _delivery.state, func.count(), func.max(_delivery.ended_at))
        trying = select(_delivery.channel, _delivery.error).where(_PENDING, _delivery.error.is_not(None))

        def work(connection: Connection) -> dict[str, n.ChannelCount]:
            seen: dict[str, dict[str, tuple[int, int | None]]] = {}
            for channel, state, count, ended in connection.execute(states.group_by(_delivery.channel, _delivery.state)):
                seen.setdefault(channel, {})[state] = (count, ended)
            errors = dict(map(tuple, connection.execute(trying.order_by(_delivery.id.desc()))))
            return {channel: _count(found, errors.get(channel)) for channel, found in seen.items()}

        return await self.look(work)

    async def failed_before(self, execution_id: str, task_id: str | None, event: str) -> bool:
        earlier = tuple_(_event.xid, _event.id) < tuple_(*parse_cursor(event))
        itself = select(_event.id).where(
            _event.execution_id == execution_id, _event.kind == "execution.failed", earlier
        )
        last = (
            select(_execution.state)
            .where(_execution.task_id == task_id, _execution.id < execution_id)
            .where(_execution.state.in_(("succeeded", "failed")))
            .order_by(_execution.id.desc())
            .limit(1)
        )

        def work(connection: Connection) -> bool:
            if connection.execute(itself.limit(1)).first() is not None:
                return True
            return task_id is not None and connection.execute(last).scalar_one_or_none() == "failed"

        return await self.read(work)

    async def failed_steps(self, execution_id: str, limit: int) -> tuple[int, list[r.StepRow], list[r.AttemptRow]]:
        failed = (_step.execution_id == execution_id, _step.state.in_(_FAILED))
        count = select(func.count()).select_from(t.step_executions).where(*failed)
        first = select(t.step_executions).where(*failed).order_by(_step.step, _step.lane, _step.round).limit(limit)

        def work(connection: Connection) -> tuple[int, list[r.StepRow], list[r.AttemptRow]]:
            steps = [step_row(row) for row in connection.execute(first)]
            tries = select(t.attempts).where(t.attempts.c.id.in_([step.attempt_id for step in steps]))
            attempts = [attempt_row(row) for row in connection.execute(tries)]
            return int(connection.execute(count).scalar_one()), steps, attempts

        return await self.read(work)


def _count(found: dict[str, tuple[int, int | None]], error: str | None) -> n.ChannelCount:
    pending, failed, sent = (found.get(state, (0, None)) for state in ("pending", "failed", "sent"))
    return n.ChannelCount(pending[0], failed[0], sent[1], error)


def _row(row: Row[Any]) -> n.DeliveryRow:
    return n.DeliveryRow(**{**row._mapping, "facts": json.loads(row.facts)})
