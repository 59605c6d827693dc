"""Notifications through Apprise, which knows more than a hundred services.

Settings: one table for each channel, such as::

    [plugins.apprise.channels.phone]
    urls = ["ntfy://topic", "tgram://bot-token/chat"]

Each URL is as Apprise documents it; it needs ``pip install plumber-fleet[apprise]``. Addresses are the operator's own:
unlike webhooks they may be private.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

from plumber_core import MissingExtra, Notification, Notifier, PluginContext, hookimpl

KINDS = {"failure": "failure", "recovery": "success", "success": "success", "waiting": "warning"}


class Channel(BaseModel):
    """Where one channel's notifications go: to all of its services."""

    model_config = ConfigDict(extra="forbid")

    urls: list[SecretStr] = Field(min_length=1)
    language: Literal["en", "zh"] | None = None


class Settings(BaseModel):
    """All channels by the names that tasks use."""

    channels: dict[str, Channel] = {}


class Apprise(Notifier):
    """Hands notifications to Apprise. If one of its services does not take it, all get it again."""

    def __init__(self, name: str, channel: Channel) -> None:
        self.name, self.language = name, channel.language
        self._urls = [url.get_secret_value() for url in channel.urls]
        self._services: Any = None

    async def open(self) -> None:
        """Read the URLs; one that Apprise does not understand keeps the server from starting."""
        import apprise

        self._services = apprise.Apprise()
        for number, url in enumerate(self._urls, 1):
            if not self._services.add(url):
                raise ValueError(f"channel {self.name}: Apprise does not understand URL {number}")

    async def send(self, notification: Notification) -> None:
        """Send to all services; one that does not take it is an error."""
        told = "\n\n".join(part for part in (notification.text.replace("\0", ""), notification.url) if part)
        kind = KINDS.get(notification.occasion, "info")
        title = notification.title.replace("\0", "")
        if not await self._services.async_notify(body=told or title, title=title, notify_type=kind):
            raise RuntimeError("not every service has taken it; Apprise does not say why")


@hookimpl
def register_notifiers(ctx: PluginContext) -> Iterable[Notifier]:
    """Offer one notifier for each configured channel."""
    channels = ctx.settings(Settings).channels
    if channels and not importlib.util.find_spec("apprise"):
        raise MissingExtra(feature="Sending through Apprise", extra="apprise")
    return [Apprise(name, channel) for name, channel in channels.items()]
