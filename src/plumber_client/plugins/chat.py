"""Notifications for chats: Slack and what speaks its language, Teams, and the robots of DingTalk, WeCom and Feishu.

Settings: one table for each channel, such as::

    [plugins.chat.channels.ops]
    kind = "dingtalk"       # slack, teams, dingtalk, wecom or feishu
    url = "https://oapi.dingtalk.com/robot/send?access_token=..."
    secret = "SEC..."       # dingtalk and feishu, when the robot was set up to check signatures
    language = "zh"
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import importlib.util
import time
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Self

from pydantic import BaseModel, SecretStr, model_validator

from plumber_client.plugins.posting import HttpChannel, HttpNotifier
from plumber_core import MissingExtra, Notification, Notifier, PluginContext, hookimpl

if TYPE_CHECKING:
    import httpx

LONGEST = {"slack": 3000, "teams": 15_000, "dingtalk": 15_000, "wecom": 4000, "feishu": 15_000}
"""Bytes of text that a service takes in one message, with room for what stands around it."""
SYMBOLS = {"failure": "❌", "recovery": "✅", "success": "✅", "waiting": "⏸️", "test": "👋"}
COLOURS = {"failure": "red", "recovery": "green", "success": "green", "waiting": "orange", "test": "blue"}
OPEN = {"en": "Open in Plumber", "zh": "在 Plumber 中打开"}
Kind = Literal["slack", "teams", "dingtalk", "wecom", "feishu"]
SIGNED = ("dingtalk", "feishu")


class Channel(HttpChannel):
    """One chat."""

    kind: Kind
    secret: SecretStr | None = None

    @model_validator(mode="after")
    def _only_where_it_signs(self) -> Self:
        if self.secret is not None and self.kind not in SIGNED:
            raise ValueError(f"{self.kind} has no secret: what is secret is in its url")
        return self


class Settings(BaseModel):
    """All chats by the names that tasks use."""

    channels: dict[str, Channel] = {}


class Refused(Exception):
    """The service answered that it did not take the message."""


class Chat(HttpNotifier):
    """Posts notifications to one chat."""

    def __init__(self, name: str, channel: Channel) -> None:
        super().__init__(name, channel)
        self._kind: Kind = channel.kind
        self._secret = channel.secret.get_secret_value() if channel.secret is not None else None

    async def send(self, notification: Notification) -> None:
        """Post it; an answer that says no is an error, whatever its status."""
        body, query = MAKERS[self._kind](notification), {}
        if self._secret is not None and self._kind == "dingtalk":
            query = dingtalk_signature(self._secret, int(time.time() * 1000))
        elif self._secret is not None:
            body = feishu_signature(self._secret, int(time.time())) | body
        _check(self._kind, await self.post_json(body, query))


def dingtalk_signature(secret: str, at: int) -> dict[str, str]:
    """Return what is added to the address of a message sent at ``at`` (milliseconds since 1970)."""
    digest = hmac.new(secret.encode(), f"{at}\n{secret}".encode(), hashlib.sha256).digest()
    return {"timestamp": str(at), "sign": base64.b64encode(digest).decode()}


def feishu_signature(secret: str, at: int) -> dict[str, Any]:
    """Return what is added to the body of a message sent at ``at`` (seconds since 1970)."""
    digest = hmac.new(f"{at}\n{secret}".encode(), b"", hashlib.sha256).digest()
    return {"timestamp": str(at), "sign": base64.b64encode(digest).decode()}


def slack(notification: Notification) -> dict[str, Any]:
    """Return a message for Slack, Mattermost, Rocket.Chat and others that take Slack's webhooks."""
    link = f"\n<{notification.url}|{_open(notification)}>" if notification.url else ""
    return {"text": f"*{_slack(_title(notification))}*\n{_slack(_text(notification, 'slack'))}{link}"}


def teams(notification: Notification) -> dict[str, Any]:
    """Return an adaptive card for a workflow of Microsoft Teams."""
    blocks: list[dict[str, Any]] = [
        {"type": "TextBlock", "text": _title(notification), "weight": "bolder", "size": "medium", "wrap": True}
    ]
    lines = _text(notification, "teams").splitlines()
    blocks += [{"type": "TextBlock", "text": line, "wrap": True, "spacing": "small"} for line in lines]
    actions = [{"type": "Action.OpenUrl", "title": _open(notification), "url": notification.url}]
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "body": blocks,
        "actions": actions if notification.url else [],
    }
    content = {"contentType": "application/vnd.microsoft.card.adaptive", "content": card}
    return {"type": "message", "attachments": [content]}


def dingtalk(notification: Notification) -> dict[str, Any]:
    """Return a message for a robot of DingTalk."""
    text = f"### {_title(notification)}\n\n{_markdown(notification, 'dingtalk')}"
    return {"msgtype": "markdown", "markdown": {"title": _title(notification), "text": text}}


def wecom(notification: Notification) -> dict[str, Any]:
    """Return a message for a robot of WeCom."""
    content = f"### {_title(notification)}\n{_markdown(notification, 'wecom')}"
    return {"msgtype": "markdown", "markdown": {"content": content}}


def feishu(notification: Notification) -> dict[str, Any]:
    """Return a card for a robot of Feishu or Lark."""
    elements: list[dict[str, Any]] = [
        {"tag": "div", "text": {"tag": "plain_text", "content": _text(notification, "feishu") or "-"}}
    ]
    if notification.url:
        text = {"tag": "plain_text", "content": _open(notification)}
        button = {"tag": "button", "text": text, "url": notification.url, "type": "primary"}
        elements.append({"tag": "action", "actions": [button]})
    header = {
        "template": COLOURS.get(notification.occasion, "blue"),
        "title": {"tag": "plain_text", "content": _title(notification)},
    }
    return {"msg_type": "interactive", "card": {"header": header, "elements": elements}}


MAKERS: Mapping[Kind, Callable[[Notification], dict[str, Any]]] = {
    "slack": slack,
    "teams": teams,
    "dingtalk": dingtalk,
    "wecom": wecom,
    "feishu": feishu,
}


def _check(kind: Kind, answer: httpx.Response) -> None:
    """Raise if the service took the call but not the message: robots say so in the body of a 200."""
    if kind not in ("dingtalk", "wecom", "feishu"):
        return
    try:
        said = answer.json()
        code = said.get("errcode", said.get("code", said.get("StatusCode")))
    except (ValueError, AttributeError):
        raise Refused(f"answered no JSON: {answer.text[:200]}") from None
    if code != 0:
        raise Refused(f"{code}: {said.get('errmsg') or said.get('msg') or said.get('StatusMessage') or ''}")


def _title(notification: Notification) -> str:
    return f"{SYMBOLS.get(notification.occasion, '')} {notification.title}".strip()


def _text(notification: Notification, kind: Kind) -> str:
    """Return the text as far as the service takes it."""
    text = notification.text.replace("\0", "")
    cut = text.encode()[: LONGEST[kind]].decode(errors="ignore")
    return cut if cut == text else f"{cut}…"


def _markdown(notification: Notification, kind: Kind) -> str:
    """Return the text in the Markdown of robots, in which a line ends with a blank one, and the link."""
    lines = [_plain(line) for line in _text(notification, kind).splitlines()]
    if notification.url:
        lines.append(f"[{_open(notification)}]({notification.url})")
    return ("\n\n" if kind == "dingtalk" else "\n").join(lines)


def _plain(line: str) -> str:
    """Take from a line what would be Markdown or HTML: names come from people."""
    for mark in ("\\", "`", "*", "[", "]", "#"):
        line = line.replace(mark, f"\\{mark}")
    return line.replace("<", "&lt;").replace(">", "&gt;")


def _slack(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _open(notification: Notification) -> str:
    return OPEN.get(notification.language, OPEN["en"])


@hookimpl
def register_notifiers(ctx: PluginContext) -> Iterable[Notifier]:
    """Offer one notifier for each configured chat."""
    channels = ctx.settings(Settings).channels
    if channels and not importlib.util.find_spec("httpx"):
        raise MissingExtra(feature="Sending to chats", extra="client")
    return [Chat(name, channel) for name, channel in channels.items()]
