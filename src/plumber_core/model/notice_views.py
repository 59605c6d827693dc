"""Notifications and plugins as the API shows them."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from plumber_core.model.notices import DeliveryState as DeliveryState
from plumber_core.model.views import Event, View


class ChannelView(View):
    """Where notifications can be sent. ``error`` is why the oldest that waits was not delivered yet."""

    name: str
    plugin: str
    language: str
    pending: int
    failed: int
    sent_at: datetime | None
    error: str | None


class DeliveryView(View):
    """One notification on its way to one channel. ``due_at`` is when it is tried next."""

    id: str
    channel: str
    occasion: str
    execution: str | None
    task: str | None
    state: DeliveryState
    attempts: int
    error: str | None
    created_at: datetime
    due_at: datetime | None
    ended_at: datetime | None


class SubscriberView(View):
    """An event subscriber. ``place`` is the newest event that is behind it, ``waiting`` how many lie ahead, counted up
    to 200. While it is stuck ``stuck_at`` is the event that it cannot take, since ``failing_since``."""

    name: str
    plugin: str
    kinds: list[str] | None
    place: str
    waiting: int
    failures: int
    failing_since: datetime | None
    error: str | None
    stuck_at: Event | None


class PluginObjectView(View):
    """What a plugin registers: ``noun`` is what it is, such as ``notifiers``.

    ``failures`` counts since this server began, ``error`` is the last one and ``failing`` whether nothing has succeeded
    since. Of a subscriber these last over restarts, with ``behind``: since when it has not got on.
    """

    noun: str
    name: str
    failures: int = 0
    failing: bool = False
    error: str | None = None
    failed_at: datetime | None = None
    behind: datetime | None = None


class PanelColumn(View):
    """A column of a panel's table: the key in each row, and what stands above."""

    key: str
    heading: str


class PanelView(View):
    """A plugin's box in the web page. Of ``kind`` table it has ``url`` and ``columns``, of module ``url``, of markdown
    ``text``; ``url`` is relative to this server."""

    name: str
    plugin: str
    title: str
    kind: Literal["table", "markdown", "module"]
    url: str | None = None
    columns: list[PanelColumn] | None = None
    text: str | None = None


class PluginView(View):
    """A plugin that this server has loaded."""

    name: str
    distribution: str
    hooks: list[str]
    objects: list[PluginObjectView]
