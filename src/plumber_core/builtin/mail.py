"""Notifications by e-mail, over any SMTP server.

Settings: one table for each list of recipients; ``server`` and the rest may stand once for all::

    [plugins.email]
    server = "smtp.example.com"
    port = 587
    security = "starttls"        # starttls, tls or none
    username = "plumber"
    password = "..."
    sender = "Plumber <plumber@example.com>"

    [plugins.email.channels.mail]
    to = ["ops@example.com"]
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal, Self

from pydantic import BaseModel, Field, SecretStr, field_validator, model_validator

from plumber_core import Notification, Notifier, PluginContext, hookimpl

if TYPE_CHECKING:
    from email.message import EmailMessage

Security = Literal["starttls", "tls", "none"]
SECURE_PORTS = {"starttls": 587, "tls": 465, "none": 25}


def _addresses(values: list[str]) -> list[str]:
    from email.utils import parseaddr

    for value in values:
        if "@" not in parseaddr(value)[1] or "\n" in value or "\r" in value:
            raise ValueError(f"{value!r} is no address")
    return values


class Recipients(BaseModel):
    """Who gets one channel's notifications."""

    to: list[str] = Field(min_length=1)
    language: Literal["en", "zh"] | None = None

    _are_addresses = field_validator("to")(_addresses)


class Settings(BaseModel):
    """The SMTP server, and all channels by the names that tasks use."""

    server: str | None = None
    port: int | None = Field(None, ge=1, le=65535)
    security: Security = "starttls"
    username: str | None = None
    password: SecretStr | None = None
    sender: str = "Plumber <plumber@localhost>"
    timeout: float = Field(20.0, gt=0, le=50)
    channels: dict[str, Recipients] = {}

    @field_validator("sender")
    @classmethod
    def _is_address(cls, value: str) -> str:
        return _addresses([value])[0]

    @model_validator(mode="after")
    def _knows_a_server(self) -> Self:
        if self.channels and not self.server:
            raise ValueError("server is missing: which SMTP server sends?")
        return self


class Email(Notifier):
    """Sends notifications to a list of people. A repeat has the same Message-ID, so that mailboxes show it once."""

    def __init__(self, name: str, recipients: Recipients, settings: Settings) -> None:
        self.name, self.language = name, recipients.language
        self._to, self._settings = recipients.to, settings

    async def send(self, notification: Notification) -> None:
        """Hand it to the SMTP server; a recipient that it refuses is an error."""
        message = self._message(notification)
        await asyncio.to_thread(self._deliver, message)

    def _message(self, notification: Notification) -> EmailMessage:
        from email.message import EmailMessage
        from email.utils import format_datetime, parseaddr

        message = EmailMessage()
        domain = parseaddr(self._settings.sender)[1].partition("@")[2]
        message["From"] = self._settings.sender
        message["To"] = ", ".join(self._to)
        message["Subject"] = " ".join(notification.title.replace("\0", "").split())
        message["Date"] = format_datetime(notification.at)
        message["Message-ID"] = f"<{notification.id}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        parts = [notification.text.replace("\0", ""), notification.url or ""]
        message.set_content("\n\n".join(part for part in parts if part) + "\n")
        return message

    def _deliver(self, message: EmailMessage) -> None:
        import smtplib
        import ssl

        settings, context = self._settings, ssl.create_default_context()
        port = settings.port or SECURE_PORTS[settings.security]
        server = settings.server or ""
        with (
            smtplib.SMTP_SSL(server, port, timeout=settings.timeout, context=context)
            if settings.security == "tls"
            else smtplib.SMTP(server, port, timeout=settings.timeout)
        ) as connection:
            if settings.security == "starttls":
                connection.starttls(context=context)
            if settings.username is not None:
                connection.login(settings.username, settings.password.get_secret_value() if settings.password else "")
            if refused := connection.send_message(message):
                raise smtplib.SMTPRecipientsRefused(refused)


@hookimpl
def register_notifiers(ctx: PluginContext) -> Iterable[Notifier]:
    """Offer one notifier for each configured list of recipients."""
    settings = ctx.settings(Settings)
    return [Email(name, recipients, settings) for name, recipients in settings.channels.items()]
