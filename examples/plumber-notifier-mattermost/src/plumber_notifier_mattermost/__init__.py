"""A plugin for Plumber: notifications as posts of a Mattermost bot.

Settings: one table for each channel, such as::

    [plugins.mattermost.channels.ops]
    server = "https://chat.example"
    token = "..."           # of the bot
    channel_id = "..."
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import httpx
from pydantic import AnyHttpUrl, BaseModel, SecretStr

from plumber_core import Notification, Notifier, PluginContext, hookimpl

SYMBOLS = {
    "failure": ":x:",
    "recovery": ":white_check_mark:",
    "success": ":white_check_mark:",
    "waiting": ":hourglass:",
}


class Channel(BaseModel):
    """Where one channel's notifications go."""

    server: AnyHttpUrl
    token: SecretStr
    channel_id: str
    language: Literal["en", "zh"] | None = None


class Settings(BaseModel):
    """All channels by the names that tasks use."""

    channels: dict[str, Channel] = {}


class Mattermost(Notifier):
    """Posts to one channel. A repeat carries the same ``plumber`` property."""

    def __init__(self, name: str, channel: Channel) -> None:
        self.name, self.language = name, channel.language
        self._channel = channel
        self._client: httpx.AsyncClient | None = None

    async def open(self) -> None:
        headers = {"Authorization": f"Bearer {self._channel.token.get_secret_value()}"}
        self._client = httpx.AsyncClient(base_url=str(self._channel.server), headers=headers, timeout=10)

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()

    async def send(self, notification: Notification) -> None:
        """Create a post; any answer but 201 is an error."""
        assert self._client is not None, "open it first"
        title = f"{SYMBOLS.get(notification.occasion, '')} **{notification.title}**".strip()
        lines = [title, notification.text, notification.url or ""]
        post = {
            "channel_id": self._channel.channel_id,
            "message": "\n".join(line for line in lines if line)[:16_000],
            "props": {"plumber": notification.id},
        }
        answer = await self._client.post("/api/v4/posts", json=post)
        if answer.status_code != 201:
            raise RuntimeError(f"Mattermost answered {answer.status_code}: {answer.text[:200]}")


@hookimpl
def register_notifiers(ctx: PluginContext) -> Iterable[Notifier]:
    return [Mattermost(name, channel) for name, channel in ctx.settings(Settings).channels.items()]
