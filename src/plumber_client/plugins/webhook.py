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
from typing import TYPE_CHECKING

from pydantic import AnyHttpUrl, BaseModel, Field, SecretStr

from plumber_core import MissingExtra, Notification, Notifier, PluginContext, __version__, hookimpl

if TYPE_CHECKING:
    import httpx


class Channel(BaseModel):
    """Where one channel's notifications go."""

    url: AnyHttpUrl
    secret: SecretStr | None = None
    headers: dict[str, SecretStr] = {}
    timeout: float = Field(10.0, gt=0, le=300)


class Settings(BaseModel):
    """All channels by the names that tasks use."""

    channels: dict[str, Channel] = {}


class Webhook(Notifier):
    """Posts notifications as JSON to one address. Redirects are not followed."""

    def __init__(self, name: str, channel: Channel) -> None:
        self.name = name
        self._channel = channel
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        """Make the client, which keeps its connections."""
        import httpx

        self._client = httpx.AsyncClient(timeout=self._channel.timeout, follow_redirects=False)

    async def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def send(self, notification: Notification) -> None:
        """Post it; any answer but 2xx is an error."""
        if self._client is None:
            raise RuntimeError(f"webhook {self.name} is not open")
        body = json.dumps(asdict(notification), default=str, ensure_ascii=False).encode()
        answer = await self._client.post(
            str(self._channel.url), content=body, headers=self._headers(notification, body)
        )
        answer.raise_for_status()

    def _headers(self, notification: Notification, body: bytes) -> dict[str, str]:
        headers = {name: value.get_secret_value() for name, value in self._channel.headers.items()}
        headers |= {
            "Content-Type": "application/json",
            "User-Agent": f"plumber/{__version__}",
            "X-Plumber-Notification": notification.id,
        }
        if self._channel.secret is not None:
            headers["X-Plumber-Signature"] = sign(self._channel.secret.get_secret_value(), body, int(time.time()))
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
