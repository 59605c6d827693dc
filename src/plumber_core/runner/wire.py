"""How the link and its supervisor talk over their unix socket: a length, then one JSON object.

This is version 1 of a small protocol that stays readable for two major versions: a new link adopts an old
supervisor. The verbs are ``attach inventory revive spawn void cancel forget trim make_room renewed durable shutdown``.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

WIRE_VERSION = 1
MAX_MESSAGE = 64 * 1024 * 1024
SOCKET_NAME = "supervisor.sock"
SUPERVISOR_LOCK = "supervisor.lock"
LINK_LOCK = "link.lock"
LOG_NAME = "supervisor.log"
JOURNAL_NAME = "journal"
SPOOL_NAME = "spool"
_LENGTH = struct.Struct(">I")

Message = dict[str, Any]


def encode(message: Message) -> bytes:
    """Return a message as it crosses the socket."""
    body = json.dumps(message, separators=(",", ":")).encode()
    return _LENGTH.pack(len(body)) + body


class Decoder:
    """Cuts a byte stream back into messages."""

    def __init__(self) -> None:
        self._data = bytearray()

    def feed(self, data: bytes) -> Iterator[Message]:
        """Yield the messages that ``data`` completes.

        Raises:
            ValueError: longer than MAX_MESSAGE, or not JSON.
        """
        self._data += data
        while len(self._data) >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(self._data)
            if length > MAX_MESSAGE:
                raise ValueError("message too long")
            end = _LENGTH.size + length
            if len(self._data) < end:
                return
            body = bytes(self._data[_LENGTH.size : end])
            del self._data[:end]
            message = json.loads(body)
            if not isinstance(message, dict):
                raise ValueError("not a message")
            yield message
