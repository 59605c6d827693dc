"""The operations on event subscribers. Part of ``nouns.py``, whose rules hold here too."""

from __future__ import annotations

import builtins
from typing import Protocol

from plumber_core.control.operations import operation
from plumber_core.model.notice_views import SubscriberView


class Subscribers(Protocol):
    """Who hears what happened, and how far he has come."""

    @operation("subscriber.list", writes=False)
    async def list(self) -> builtins.list[SubscriberView]:
        """Return the event subscribers with their places in the event log; of one that is stuck also where and why.

        Without a ``plugin`` it is not loaded here, and its place is kept.
        """
        ...

    @operation("subscriber.retry")
    async def retry(self, *, name: str) -> SubscriberView:
        """Ask a stuck subscriber again now, instead of when its waiting time is over.

        Raises: NotFound, Conflict (it is not stuck).
        """
        ...

    @operation("subscriber.skip")
    async def skip(self, *, name: str, event: str, reason: str) -> SubscriberView:
        """Have a stuck subscriber go on behind the event that it cannot take, which it will never hear.

        ``event`` is that event's id, so that nobody skips another one.

        Raises: NotFound, Conflict (it is not stuck, or at another event), InvalidRequest (no reason).
        """
        ...
