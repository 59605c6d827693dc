"""What a stranger may send before we stop listening."""

from __future__ import annotations

import asyncio
from typing import Any

from litestar.types import Receive, Scope
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from plumber_core.errors import TooLarge, Unavailable
from plumber_core.model.limits import MAX_REQUEST_BODY
from plumber_core.reasons import because

MAX_HEADERS = 16 * 1024
"""Bytes of the request line and all headers together."""
HEADER_TIMEOUT = 15.0
"""Seconds from the connection, or from the last answer, to a whole header."""
BODY_TIMEOUT = 60.0
"""Seconds for a whole body: a link of 300 kbit/s sends the largest in time."""
MAX_ORIGINAL_BODY = 256 * 1024 * 1024
"""The original's agents send a step's whole output in one report; only a known agent may send this much."""
MAX_AGENT_MESSAGE = 2 * 1024 * 1024


async def read_body(scope: Scope, receive: Receive, limit: int = MAX_REQUEST_BODY) -> bytes:
    """Return the request's body.

    Raises: TooLarge, Unavailable (the client was too slow or went away).
    """
    announced = content_length(scope)
    if announced > limit:
        raise too_large(announced, limit)
    message: Any = await _first(receive)
    if not message.get("more_body"):
        return _within(message.get("body", b""), limit)
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return await _rest(message, receive, limit)
    except TimeoutError:
        raise Unavailable(reason=because("not_in_time")) from None


async def _first(receive: Receive) -> Any:
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            return _present(await receive())
    except TimeoutError:
        raise Unavailable(reason=because("not_in_time")) from None


async def _rest(message: Any, receive: Receive, limit: int) -> bytes:
    body = bytearray(message.get("body", b""))
    while message.get("more_body"):
        message = _present(await receive())
        body += message.get("body", b"")
        if len(body) > limit:
            raise too_large(len(body), limit)
    return bytes(body)


def _present(message: Any) -> Any:
    if message["type"] == "http.disconnect":
        raise Unavailable(reason="the client went away")
    return message


def _within(body: bytes, limit: int) -> bytes:
    if len(body) > limit:
        raise too_large(len(body), limit)
    return body


def too_large(actual: int, limit: int) -> TooLarge:
    """Return the refusal of a body."""
    return TooLarge(field="body", actual=actual, unit=because("unit_bytes"), limit=limit)


def content_length(scope: Scope) -> int:
    """Return what Content-Length announces, 0 when it does not."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() else 0
    return 0


class LimitedHttp(HttpToolsProtocol):
    """uvicorn's HTTP protocol with a limit on headers, in bytes and in time: its parser has neither."""

    _in_headers = True
    _seen = 0
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """Start the clock of the first header."""
        super().connection_made(transport)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the clock."""
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse a header that does not end: the parser would go on keeping it."""
        super().data_received(data)
        if not self._in_headers:
            return
        self._seen += len(data)
        if self._seen > MAX_HEADERS and not self.transport.is_closing():
            self.transport.write(_TOO_LARGE)
            self.transport.close()

    def on_message_begin(self) -> None:
        """Count a new request from nothing."""
        super().on_message_begin()
        self._in_headers, self._seen = True, 0
        if self._deadline is None:
            self._start_clock()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Count a header that came in one piece with others."""
        self._seen += len(name) + len(value)
        if self._seen > MAX_HEADERS:
            # An exception inside a parser callback ends the parse: uvicorn answers 400 and closes.
            raise ValueError("headers too large")
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Stop the clock: the rest has its own limits."""
        self._in_headers, self._seen = False, 0
        self._stop_clock()
        super().on_headers_complete()

    def _start_clock(self) -> None:
        self._deadline = self.loop.call_later(HEADER_TIMEOUT, self.transport.close)

    def _stop_clock(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
