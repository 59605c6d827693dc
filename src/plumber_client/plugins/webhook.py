"""Webhook notifiers: a signed POST for each notification.

Settings: one table for each channel, such as::

    [plugins.webhook.channels.ops]
    url = "https://chat.example/hook"
    secret = "..."          # signs; see below
    timeout = 10            # seconds

``X-Plumber-Signature`` is ``t=SECONDS,v1=HEX``: HMAC-SHA-256 of ``SECONDS.BODY``. Receivers should refuse a time more
than five minutes off, and drop an ``X-Plumber-Notification`` id that they have seen.
"""

from __future__ import annotations

import hashlib
import hmac
import importlib.util
import json
import time
from collections.abc import Iterable
from dataclasses import asdict

from pydantic import BaseModel, Field, SecretStr

from plumber_client.plugins.posting import HttpChannel, HttpNotifier
from plumber_core import MissingExtra, Notification, Notifier, PluginContext, hookimpl


class Channel(HttpChannel):
    """Where one channel's notifications go."""

    secret: SecretStr | None = None
    headers: dict[str, SecretStr] = Field(default_factory=dict)


class Settings(BaseModel):
    """All channels by the names that tasks use."""

    channels: dict[str, Channel] = {}


class Webhook(HttpNotifier):
    """Posts notifications as JSON to one address."""

    def __init__(self, name: str, channel: Channel) -> None:
        super().__init__(name, channel)
        self._secret, self._own = channel.secret, channel.headers

    async def send(self, notification: Notification) -> None:
        """Post it; any answer but 2xx is an error."""
        body = json.dumps(asdict(notification), default=str, ensure_ascii=False).encode()
        await self.post(body, self._headers(notification, body))

    def _headers(self, notification: Notification, body: bytes) -> dict[str, str]:
        headers = {name: value.get_secret_value() for name, value in self._own.items()}
        headers |= {"Content-Type": "application/json", "X-Plumber-Notification": notification.id}
        if self._secret is not None:
            headers["X-Plumber-Signature"] = sign(self._secret.get_secret_value(), body, int(time.time()))
        return headers


def sign(secret: str, body: bytes, at: int) -> str:
    """Return the signature header of a body sent at ``at`` (seconds since 1970)."""
    digest = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at},v1={digest}"


@hookimpl
def register_notifiers(ctx: PluginContext) -> Iterable[Notifier]:
    """Offer one notifier for each configured channel."""
    channels = ctx.settings(Settings).channels
    if channels and not importlib.util.find_spec("httpx"):
        raise MissingExtra(feature="Sending webhooks", extra="client")
    return [Webhook(name, channel) for name, channel in channels.items()]
