"""What follows from events once they are committed: notifications, and whatever plugins do with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from plumber_core.engine.core import Engine
from plumber_core.engine.deliveries import Deliveries
from plumber_core.engine.event_tail import view
from plumber_core.engine.followers import Follower, Handler
from plumber_core.engine.notices import CURSOR, NoticeDesk
from plumber_core.errors import StartupError
from plumber_core.model.notices import NewDelivery, NoticeSettings
from plumber_core.model.records import EventRow
from plumber_core.planning.notices import KINDS
from plumber_core.planning.problems import nearest
from plumber_core.plugins.contracts.event_subscriber import EventSubscriber
from plumber_core.plugins.registry import PluginRegistry

SUBSCRIBER = "subscriber:"
"""Before the name of a subscriber in its cursor's."""


def read_settings(table: Mapping[str, Any]) -> NoticeSettings:
    """Read the ``[notifications]`` table.

    Raises: StartupError (names each key).
    """
    try:
        return NoticeSettings.model_validate(dict(table))
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        reason = "; ".join(f"[notifications] {'.'.join(map(str, one['loc']))}: {one['msg']}" for one in found)
        raise StartupError(reason=reason) from None


async def begin_telling(engine: Engine, plugins: PluginRegistry) -> None:
    """Follow events for channels and subscribers, beside all else. Without any, nothing is read.

    Raises: StartupError (a channel that no plugin offers), Unavailable.
    """
    _check_channels(engine.notices, plugins)
    for subscriber in plugins.subscribers:
        _follow(engine, Follower(engine, SUBSCRIBER + subscriber.name, subscriber.kinds, _hearing(subscriber)))
    if plugins.notifiers or CURSOR in {row.name for row in await engine.store.list_cursors()}:
        # Tasks may name channels that are no longer there: that has to be said, not forgotten.
        _follow(engine, Follower(engine, CURSOR, KINDS, NoticeDesk(engine, plugins).handle))
        engine.spawn(Deliveries(engine, plugins).run(), "deliveries")


def _follow(engine: Engine, follower: Follower) -> None:
    engine.spawn(follower.run(), f"follow {follower.name}")


def _check_channels(settings: NoticeSettings, plugins: PluginRegistry) -> None:
    for occasion, names in settings.by_occasion().items():
        for name in names:
            if name not in plugins.notifiers:
                near = nearest(name, plugins.notifiers)
                advice = f", did you mean {near}" if near else ""
                raise StartupError(reason=f"[notifications] {occasion}: no plugin offers a channel {name}{advice}")


def _hearing(subscriber: EventSubscriber) -> Handler:
    async def handle(row: EventRow, now: int) -> list[NewDelivery]:
        await subscriber.handle(view(row))
        return []

    return handle
