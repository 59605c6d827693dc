"""A WebSocket as a client holds it: the ``websockets`` protocol core over an asyncio transport."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any, cast

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidHandshake, InvalidStatus
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri

from plumber_agent.address import ServerAddress
from plumber_core.protocol.peer import Disconnected, PeerError, Refused
from plumber_core.version import __version__

PATH = "/agent/v1/ws"
CONNECT_WITHIN = 10.0
MAX_MESSAGE = 32 * 1024 * 1024
WRITE_BUFFER = 256 * 1024
"""Bytes that may wait in this process: a renewal must not stand behind megabytes of log."""
REFUSED_CLOSE = 4003
AUTHENTICATION = (401, 403)
AWAY = (429, 500, 503, 504)
"""Answers to an upgrade that speak of the server, not of a proxy that knows no WebSocket."""
KEEPALIVE = {"TCP_KEEPIDLE": 4, "TCP_KEEPINTVL": 2, "TCP_KEEPCNT": 3, "TCP_USER_TIMEOUT": 8000}
"""The kernel finds a dead connection in about 10 s, whatever the heartbeat's interval."""


class UpgradeRefused(Disconnected):
    """Something on the way does not let a WebSocket through."""


class Socket(asyncio.Protocol):
    """One connection. ``on_message`` gets each text message, ``on_lost`` the reason of the end, once."""

    def __init__(
        self,
        address: ServerAddress,
        token: str,
        on_message: Callable[[str], None],
        on_lost: Callable[[PeerError], None],
    ) -> None:
        self._protocol = ClientProtocol(parse_uri(address.url(PATH, socket=True)), max_size=MAX_MESSAGE)
        self._token = token
        self._on_message = on_message
        self._on_lost = on_lost
        self._transport: asyncio.Transport | None = None
        self._parts: list[bytes] = []
        self._fault: PeerError | None = None
        self._writable = asyncio.Event()
        self._writable.set()
        self._turn = asyncio.Lock()
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    # What asyncio calls

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.set_write_buffer_limits(high=WRITE_BUFFER)
        _keep_alive(self._transport.get_extra_info("socket"))
        request = self._protocol.connect()
        request.headers["Authorization"] = f"Bearer {self._token}"
        request.headers["User-Agent"] = f"plumber-agent/{__version__}"
        self._protocol.send_request(request)
        self._flush()

    def data_received(self, data: bytes) -> None:
        self._protocol.receive_data(data)
        for event in self._protocol.events_received():
            self._handle(event)
        self._flush()
        if not self.opened.done() and (problem := self._protocol.handshake_exc) is not None:
            self._fail(_handshake_problem(problem))

    def eof_received(self) -> None:
        self._protocol.receive_eof()
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        reason = self._fault or self._reason(error)
        self._writable.set()
        if not self.opened.done():
            self.opened.set_exception(reason)
        self._on_lost(reason)

    def pause_writing(self) -> None:
        self._writable.clear()

    def resume_writing(self) -> None:
        self._writable.set()

    # What the peer calls

    def send_text(self, data: bytes) -> None:
        """Send a message at once, whatever waits.

        Raises: Disconnected.
        """
        self._check()
        self._protocol.send_text(data)
        self._flush()

    async def send_binary(self, data: bytes, written: Callable[[], None]) -> None:
        """Send a message when there is room, in order; ``written`` is called as it is handed to the transport.

        Raises: Disconnected.
        """
        async with self._turn:
            await self._writable.wait()
            self._check()
            written()
            self._protocol.send_binary(data)
            self._flush()

    def close(self) -> None:
        """Say goodbye, and do not wait for an answer."""
        if self._transport is None or self._transport.is_closing():
            return
        if self._protocol.state.name == "OPEN":
            self._protocol.send_close(1000)
            self._flush()
        self._transport.close()

    # Inside

    def _check(self) -> None:
        if self._transport is None or self._transport.is_closing() or self._protocol.state.name != "OPEN":
            raise self._fault or Disconnected("the connection is over")

    def _flush(self) -> None:
        transport = self._transport
        if transport is None:
            return
        for data in self._protocol.data_to_send():
            if data:
                transport.write(data)
            else:
                transport.close()
        if self._protocol.close_expected():
            transport.close()

    def _handle(self, event: Any) -> None:
        if isinstance(event, Response):
            if event.status_code == 101 and not self.opened.done():
                self.opened.set_result(None)
        elif isinstance(event, Frame) and event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            self._parts.append(bytes(event.data))
            if event.fin:
                message, self._parts = b"".join(self._parts), []
                self._on_message(message.decode("utf-8", "replace"))

    def _reason(self, error: Exception | None) -> PeerError:
        farewell = self._protocol.close_rcvd
        if farewell is not None and farewell.code == REFUSED_CLOSE:
            return Refused(farewell.reason)
        said = farewell.reason if farewell is not None else str(error or "")
        return Disconnected(said or "the server closed the connection")

    def _fail(self, problem: PeerError) -> None:
        self._fault = problem
        if self._transport is not None:
            self._transport.close()


def _keep_alive(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in KEEPALIVE.items():
        if (option := getattr(socket, name, None)) is not None:
            connection.setsockopt(socket.IPPROTO_TCP, option, value)


def _handshake_problem(error: Exception) -> PeerError:
    if isinstance(error, InvalidStatus):
        status = error.response.status_code
        if status in AUTHENTICATION:
            return Refused(f"HTTP {status}")
        return Disconnected(f"HTTP {status}") if status in AWAY else UpgradeRefused(f"no WebSocket: HTTP {status}")
    if isinstance(error, InvalidHandshake):
        return UpgradeRefused(f"no WebSocket: {error}")
    return Disconnected(str(error))


async def open_socket(
    address: ServerAddress,
    token: str,
    on_message: Callable[[str], None],
    on_lost: Callable[[PeerError], None],
    within: float = CONNECT_WITHIN,
) -> Socket:
    """Connect and shake hands.

    Raises:
        Refused: the credential is not accepted.
        UpgradeRefused: no WebSocket goes through.
        Disconnected: the server cannot be reached.
    """
    made: list[Socket] = []

    def make() -> Socket:
        made.append(Socket(address, token, on_message, on_lost))
        return made[-1]

    try:
        async with asyncio.timeout(within):
            await asyncio.get_running_loop().create_connection(
                make,
                address.host,
                address.port,
                ssl=ssl.create_default_context() if address.secure else None,
                happy_eyeballs_delay=0.25,
            )
            await made[-1].opened
    except TimeoutError:
        raise Disconnected(f"cannot reach {address}: no answer within {within:g} s") from None
    except OSError as error:
        raise Disconnected(f"cannot reach {address}: {error.strerror or error}") from error
    finally:
        if made and not _is_open(made[-1]):
            made[-1].close()
    return made[-1]


def _is_open(connection: Socket) -> bool:
    return connection.opened.done() and not connection.opened.cancelled() and connection.opened.exception() is None
