"""Server-sent events, sans-IO: bytes in, messages out (https://html.spec.whatwg.org/#server-sent-events)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field

from plumber_core.errors import ProtocolError
from plumber_core.model.views import Event, LogGrowth

_LINE_END = re.compile(rb"\r\n|\n|\r")
LOG = "log"
"""The kind of message that carries a ``LogGrowth``. Those of events have a dot: ``step.succeeded``."""


@dataclass(frozen=True, slots=True)
class Message:
    """One dispatched message."""

    kind: str
    data: str


@dataclass
class SseParser:
    """Splits a stream into messages wherever its bytes were cut.

    ``last_id`` is what to send as Last-Event-ID; ``retry`` the pause in seconds that the server asked for.
    """

    last_id: str | None = None
    retry: float | None = None
    _id: str | None = None
    _rest: bytes = b""
    _kind: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, chunk: bytes) -> list[Message]:
        """Take the next bytes; return the messages that they completed."""
        buffer = self._rest + chunk
        # A final CR may be the first half of CRLF: it waits for the next byte.
        held = b"\r" if buffer.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(buffer.removesuffix(held))
        self._rest = rest + held
        return [message for line in lines if (message := self._line(line.decode("utf-8", "replace")))]

    def _line(self, line: str) -> Message | None:
        if not line:
            return self._dispatch()
        name, _, value = line.partition(":")
        self._field(name, value.removeprefix(" "))
        return None

    def _field(self, name: str, value: str) -> None:
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._kind = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isdecimal():
            self.retry = int(value) / 1000

    def _dispatch(self) -> Message | None:
        kind, data = self._kind or "message", self._data
        # Only now: an id whose message was cut off must not skip that message when the stream is resumed.
        self.last_id = self._id if self._id is not None else self.last_id
        self._kind, self._data = "", []
        return Message(kind, "\n".join(data)) if data else None


def read_message(message: Message) -> Event | LogGrowth | None:
    """Return what a message carries; None for what speaks of the stream itself, as ``hello`` does, whatever comes yet.

    Raises: ProtocolError (an event or a hint cannot be read).
    """
    if message.kind != LOG and "." not in message.kind:
        return None
    model = LogGrowth if message.kind == LOG else Event
    try:
        return model.model_validate(json.loads(message.data))
    except ValueError as error:
        raise ProtocolError(reason=f"unreadable event {message.kind}") from error
