"""``notification.*``."""

from __future__ import annotations

import builtins

from plumber_core.engine.clock import moment
from plumber_core.engine.deliveries import HELD, Deliveries
from plumber_core.engine.operations.base import Noun, clean, page_size
from plumber_core.errors import Conflict, NotFound
from plumber_core.ids import new_id
from plumber_core.model.notice_views import ChannelView, DeliveryView
from plumber_core.model.notices import ChannelCount, DeliveryRow, DeliveryState, NewDelivery
from plumber_core.model.views import Page
from plumber_core.planning.problems import nearest
from plumber_core.reasons import because


class NotificationOperations(Noun):
    """Implements ``control.notices.Notifications``."""

    async def channels(self) -> builtins.list[ChannelView]:
        await self.desk.allow("notification:channels")
        counts, own = await self.store.channel_counts(), self.desk.plugins.notifiers
        origins = self.desk.plugins.manager.origins
        return [
            ChannelView(
                name=name,
                plugin=origins.get(("notifiers", name), ""),
                language=own[name].language or self.engine.notices.language if name in own else "",
                pending=count.pending,
                failed=count.failed,
                sent_at=None if count.sent_at is None else moment(count.sent_at),
                error=count.error,
            )
            for name in sorted({*own, *counts})
            if (count := counts.get(name, ChannelCount())) and (name in own or count.pending or count.failed)
        ]

    async def list(
        self,
        *,
        state: DeliveryState | None = None,
        channel: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[DeliveryView]:
        await self.desk.allow("notification:list")
        size = page_size(limit)
        rows = await self.store.list_deliveries(state, channel, size + 1, cursor)
        more = rows[size - 1].id if len(rows) > size else None
        return Page(items=[_view(row) for row in rows[:size]], next=more)

    async def test(self, *, channel: str) -> DeliveryView:
        caller = await self.desk.allow("notification:test", channel)
        notifiers = self.desk.plugins.notifiers
        if clean("channel", channel, 100) not in notifiers:
            raise NotFound(kind="channel", name=channel, nearest=nearest(channel, notifiers))
        at = moment(await self.store.now()).isoformat()
        facts = {"kind": "notification.test", "at": at, "by": caller.principal.name, "channel": channel}
        new = NewDelivery(new_id(), channel, "test", None, facts)
        row = await self.store.add_delivery(new, HELD)
        await Deliveries(self.engine, self.desk.plugins).deliver(row, once=True)
        return _view(await self.store.find_delivery(new.id) or row)

    async def retry(self, *, id: str) -> DeliveryView:
        await self.desk.allow("notification:retry", id)
        row = await self.store.retry_delivery(clean("id", id, 100))
        if row is None:
            if await self.store.find_delivery(id) is None:
                raise NotFound(kind="notification", name=id)
            raise Conflict(reason=because("already_delivered"))
        self.engine.outbox.set()
        return _view(row)


def _view(row: DeliveryRow) -> DeliveryView:
    return DeliveryView(
        id=row.id,
        channel=row.channel,
        occasion=row.occasion,
        execution=row.execution_id,
        task=row.facts.get("task"),
        state=row.state,
        attempts=row.attempts,
        error=row.error,
        created_at=moment(row.created_at),
        due_at=moment(row.due_at) if row.state == "pending" else None,
        ended_at=None if row.ended_at is None else moment(row.ended_at),
    )
