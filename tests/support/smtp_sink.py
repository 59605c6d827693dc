"""A real SMTP server on a free port, that keeps what it is handed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, LoginPassword

from support.processes import free_port


@dataclass
class Sink:
    """``refused`` recipients get a 550; ``logins`` are (user, password) that may send, any caller if empty."""

    port: int = 0
    got: list[EmailMessage] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    logins: set[tuple[str, str]] = field(default_factory=set)

    async def handle_RCPT(self, server: Any, session: Any, envelope: Any, address: str, options: Any) -> str:
        if address in self.refused:
            return "550 nobody of this name"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        message = message_from_bytes(envelope.content, policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.got.append(message)
        return "250 OK"

    def authenticate(self, server: Any, session: Any, envelope: Any, mechanism: str, data: Any) -> AuthResult:
        known = isinstance(data, LoginPassword) and (data.login.decode(), data.password.decode()) in self.logins
        return AuthResult(success=known, handled=False)


@contextmanager
def smtp_sink(*logins: tuple[str, str]) -> Iterator[Sink]:
    """Serve until the context ends."""
    sink = Sink(port=free_port(), logins=set(logins))
    options: dict[str, Any] = {"authenticator": sink.authenticate, "auth_require_tls": False}
    controller = Controller(
        sink, hostname="127.0.0.1", port=sink.port, **({**options, "auth_required": True} if logins else {})
    )
    controller.start()
    try:
        yield sink
    finally:
        controller.stop()
