"""``subscriber.*``: how far event subscribers have come, and helping those that are stuck."""

from __future__ import annotations

import builtins
from typing import Any

from plumber_core.engine.clock import moment
from plumber_core.engine.event_tail import view
from plumber_core.engine.followers import RETRIED, SKIPPED
from plumber_core.engine.operations.base import Noun, clean
from plumber_core.engine.outbox import SUBSCRIBER
from plumber_core.errors import Conflict, InvalidRequest, NotFound
from plumber_core.model.notice_views import SubscriberView
from plumber_core.model.notices import CursorRow
from plumber_core.model.records import EventRow
from plumber_core.planning.problems import nearest
from plumber_core.plugins.contracts.event_subscriber import EventSubscriber
from plumber_core.reasons import because

MOST_COUNTED = 200


class SubscriberOperations(Noun):
    """Implements ``control.subscribers.Subscribers``."""

    async def list(self) -> builtins.list[SubscriberView]:
        await self.desk.allow("subscriber:list")
        rows = await self._rows()
        return [await self._view(rows[name]) for name in sorted(rows)]

    async def retry(self, *, name: str) -> SubscriberView:
        caller = await self.desk.allow("subscriber:retry", name)
        row, _ = await self._stuck(name)
        await self._unstick(row, row.cursor, RETRIED, {"name": name, "by": caller.principal.name})
        return await self._view((await self._rows())[name])

    async def skip(self, *, name: str, event: str, reason: str) -> SubscriberView:
        caller = await self.desk.allow("subscriber:skip", name)
        row, at = await self._stuck(name)
        if at.cursor != event:
            raise Conflict(reason=because("stuck_elsewhere", name=name, event=at.cursor))
        if not (why := clean("reason", reason.strip(), 1000)):
            raise InvalidRequest(field="reason", reason=because("empty"))
        told = {"name": name, "event": event, "kind": at.kind, "by": caller.principal.name, "reason": why}
        await self._unstick(row, event, SKIPPED, told)
        return await self._view((await self._rows())[name])

    async def _rows(self) -> dict[str, CursorRow]:
        """Return the places of all subscribers, by their names; one that has just been loaded has none yet."""
        rows = {row.name.removeprefix(SUBSCRIBER): row for row in await self.store.list_cursors() if _is_ours(row)}
        unheard = {one.name for one in self.desk.plugins.subscribers} - rows.keys()
        here = await self.store.last_event() if unheard else ""
        return rows | {name: CursorRow(SUBSCRIBER + name, here, 0) for name in unheard}

    async def _stuck(self, name: str) -> tuple[CursorRow, EventRow]:
        """Return where a subscriber is stuck.

        Raises: NotFound, Conflict (it is not).
        """
        rows = await self._rows()
        if (row := rows.get(clean("name", name, 100))) is None:
            raise NotFound(kind="subscriber", name=name, nearest=nearest(name, rows))
        at = await self._ahead(row, 1) if row.failing_since is not None else []
        if not at:
            raise Conflict(reason=because("not_stuck", name=name))
        return row, at[0]

    async def _unstick(self, row: CursorRow, place: str, kind: str, told: dict[str, Any]) -> None:
        if not await self.store.unstick(row.name, row.cursor, place, kind, told):
            raise Conflict(reason=because("not_stuck", name=told["name"]))
        self.engine.wakeups.changed(None)

    async def _ahead(self, row: CursorRow, most: int) -> builtins.list[EventRow]:
        known = self._loaded(row)
        page = await self.store.events_of(row.cursor, known.kinds if known is not None else None, most)
        return builtins.list(page.rows)

    def _loaded(self, row: CursorRow) -> EventSubscriber | None:
        name = row.name.removeprefix(SUBSCRIBER)
        return next((one for one in self.desk.plugins.subscribers if one.name == name), None)

    async def _view(self, row: CursorRow) -> SubscriberView:
        name, known = row.name.removeprefix(SUBSCRIBER), self._loaded(row)
        ahead = await self._ahead(row, MOST_COUNTED)
        kinds = known.kinds if known is not None else None
        return SubscriberView(
            name=name,
            plugin=self.desk.plugins.manager.origins.get(("event_subscribers", name), ""),
            kinds=None if kinds is None else sorted(kinds),
            place=row.cursor,
            waiting=len(ahead),
            failures=row.failures,
            failing_since=None if row.failing_since is None else moment(row.failing_since),
            error=row.error,
            stuck_at=view(ahead[0]) if ahead and row.failing_since is not None else None,
        )


def _is_ours(row: CursorRow) -> bool:
    return row.name.startswith(SUBSCRIBER)
