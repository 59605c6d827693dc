"""The operations on notifications. Part of ``nouns.py``, whose rules hold here too."""

from __future__ import annotations

import builtins
from typing import Protocol

from plumber_core.control.operations import operation
from plumber_core.model.notice_views import ChannelView, DeliveryView
from plumber_core.model.notices import DeliveryState
from plumber_core.model.views import Page


class Notifications(Protocol):
    """Messages to people about what happened."""

    @operation("notification.channels", writes=False)
    async def channels(self) -> builtins.list[ChannelView]:
        """Return the channels that plugins offer, and what waits or has failed on each."""
        ...

    @operation("notification.list", writes=False)
    async def list(
        self,
        *,
        state: DeliveryState | None = None,
        channel: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
    ) -> Page[DeliveryView]:
        """Return notifications, newest first."""
        ...

    @operation("notification.test")
    async def test(self, *, channel: str) -> DeliveryView:
        """Send a notification to a channel now and return how that went; it is tried once.

        Raises: NotFound.
        """
        ...

    @operation("notification.retry")
    async def retry(self, *, id: str) -> DeliveryView:
        """Try a notification again now, also one that was given up.

        Raises: NotFound, Conflict (it was delivered).
        """
        ...
