"""The WebSocket peer against a real WebSocket server of the test's own."""

from __future__ import annotations

import asyncio
import contextlib
import http
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response

from plumber_agent import held_socket
from plumber_agent.address import ServerAddress
from plumber_agent.held_socket import UpgradeRefused
from plumber_agent.ws_peer import WsPeer
from plumber_core.errors import NotFound
from plumber_core.protocol import codec
from plumber_core.protocol.messages import (
    Assignment,
    Goodbye,
    Hello,
    LogChunk,
    LogEnd,
    NeverRan,
    Renew,
    Renewed,
    Report,
    Welcome,
)
from plumber_core.protocol.messages import Outcome as OutcomeMessage
from plumber_core.protocol.peer import Disconnected, Refused, SessionOver
from support.scripted_server import step

Handler = Callable[["Remote"], Awaitable[None]]
RENEW = Renew("s", 1, 1)


class Remote:
    """The server's end of one connection."""

    def __init__(self, connection: ServerConnection) -> None:
        self.connection = connection

    async def call(self) -> dict[str, Any]:
        """Receive one call."""
        message = await self.connection.recv()
        assert isinstance(message, str)
        value: dict[str, Any] = json.loads(message)
        return value

    async def chunk(self) -> LogChunk:
        """Receive one log chunk."""
        message = await self.connection.recv()
        assert isinstance(message, bytes)
        return codec.decode_chunk(message)

    async def send(self, **message: Any) -> None:
        """Send a message."""
        await self.connection.send(json.dumps({"jsonrpc": "2.0", **message}))

    async def answer(self, call: dict[str, Any], result: Any) -> None:
        """Answer a call."""
        await self.send(id=call["id"], result=codec.to_json(result))

    async def push(self, delivery: Any) -> None:
        """Send a delivery."""
        await self.send(method=codec.METHOD_OF[type(delivery)], params=codec.to_json(delivery))


@contextlib.asynccontextmanager
async def server(handler: Handler, **options: Any) -> AsyncIterator[ServerAddress]:
    """Serve for the length of a block."""

    async def handle(connection: ServerConnection) -> None:
        await handler(Remote(connection))

    async with serve(handle, "127.0.0.1", 0, **options) as running:
        port = next(iter(running.sockets)).getsockname()[1]
        yield ServerAddress.parse(f"127.0.0.1:{port}")


async def idle(remote: Remote) -> None:
    await remote.connection.wait_closed()


async def test_handshake_carries_the_credential_and_the_path() -> None:
    seen: list[Request] = []

    async def handler(remote: Remote) -> None:
        assert remote.connection.request is not None
        seen.append(remote.connection.request)
        await idle(remote)

    async with server(handler) as address:
        peer = await WsPeer.connect(address, "secret")
        await peer.close()
    assert seen[0].path == "/agent/v1/ws"
    assert seen[0].headers["Authorization"] == "Bearer secret"
    assert "Sec-WebSocket-Extensions" not in seen[0].headers


async def test_calls_are_answered_by_number_whatever_the_order() -> None:
    async def handler(remote: Remote) -> None:
        first, second = await remote.call(), await remote.call()
        await remote.answer(second, Renewed(7, 2.0))
        await remote.answer(first, Welcome("ok", 7, "session"))
        await idle(remote)

    async with server(handler) as address:
        peer = await WsPeer.connect(address, "t")
        hello = Hello(1, "n", "b", None, "0")
        welcome, renewed = await asyncio.gather(peer.hello(hello), peer.renew(RENEW))
        assert (welcome, renewed) == (Welcome("ok", 7, "session"), Renewed(7, 2.0))
        await peer.close()


async def test_messages_arrive_as_they_were_sent() -> None:
    got: list[Any] = []

    async def handler(remote: Remote) -> None:
        for _ in range(2):
            call = await remote.call()
            got.append(codec.from_json(codec.REQUESTS[call["method"]][0], call["params"]))
            await remote.send(id=call["id"], result={"status": "recorded", "log_end": 3})
        await idle(remote)

    report = Report("s", "a", OutcomeMessage("failed", 3, detail="é\n"), 1, 4, b"\x00\xff")
    never = NeverRan("s", "a", "boot", "busy", 1)
    async with server(handler) as address:
        peer = await WsPeer.connect(address, "t")
        assert (await peer.report(report)).log_end == 3
        await peer.never_ran(never)
        await peer.close()
    assert got == [report, never]


async def test_deliveries_come_in_order_and_unknown_ones_are_passed_over() -> None:
    assignment = Assignment("a", "s", 1, 1, step("echo é"))

    async def handler(remote: Remote) -> None:
        await remote.push(assignment)
        await remote.send(method="from_the_future", params={"x": 1})
        await remote.send(method="assign", params={"attempt": 5})
        await remote.connection.send("not json")
        await remote.push(Goodbye(1.5))
        await remote.connection.close()

    async with server(handler) as address:
        peer = await WsPeer.connect(address, "t")
        assert [delivery async for delivery in peer.deliveries()] == [assignment, Goodbye(1.5)]


async def test_each_chunk_is_answered_by_one_log_end_in_order() -> None:
    async def handler(remote: Remote) -> None:
        chunks = [await remote.chunk() for _ in range(3)]
        for chunk in chunks:
            await remote.push(LogEnd(chunk.attempt, chunk.offset + len(chunk.data)))
        await remote.push(LogEnd("a", 99))
        await idle(remote)

    async with server(handler) as address:
        peer = await WsPeer.connect(address, "t")
        chunks = [LogChunk("s", "a", 0, b"12"), LogChunk("s", "b", 0, b"1"), LogChunk("s", "a", 2, b"3456")]
        ends = await asyncio.gather(*(peer.append(chunk) for chunk in chunks))
        assert ends == [LogEnd("a", 2), LogEnd("b", 1), LogEnd("a", 6)]
        # One that answers no chunk is a delivery.
        assert await anext(peer.deliveries()) == LogEnd("a", 99)
        await peer.close()


async def test_large_chunks_and_renewals_share_the_line() -> None:
    sizes: list[int] = []

    async def handler(remote: Remote) -> None:
        async for message in remote.connection:
            if isinstance(message, bytes):
                chunk = codec.decode_chunk(message)
                sizes.append(len(chunk.data))
                await remote.push(LogEnd(chunk.attempt, chunk.offset + len(chunk.data)))
            else:
                await remote.answer(json.loads(message), Renewed(1, 1.0))

    size = 1024 * 1024
    async with server(handler, max_size=None) as address:
        peer = await WsPeer.connect(address, "t")
        work = [asyncio.create_task(peer.append(LogChunk("s", "a", i * size, bytes(size)))) for i in range(8)]
        await peer.renew(RENEW)
        assert [(await task).end for task in work] == [(i + 1) * size for i in range(8)]
        await peer.close()
    assert sizes == [size] * 8


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ({"code": codec.SESSION_OVER, "message": "over"}, SessionOver),
        ({"code": codec.REFUSED, "message": "no"}, Refused),
        ({"code": -32015, "message": "later", "data": {"code": "unavailable", "arguments": {}}}, Disconnected),
        ({"code": 1, "message": "?", "data": {"code": "not_found", "arguments": {"kind": "x", "name": "y"}}}, NotFound),
    ],
)
async def test_errors_are_what_the_engine_raises(error: dict[str, Any], expected: type[Exception]) -> None:
    async def handler(remote: Remote) -> None:
        call = await remote.call()
        await remote.send(id=call["id"], error=error)
        await idle(remote)

    async with server(handler) as address:
        peer = await WsPeer.connect(address, "t")
        with pytest.raises(expected):
            await peer.renew(RENEW)
        await peer.close()


async def test_everything_in_flight_ends_with_the_connection() -> None:
    async def handler(remote: Remote) -> None:
        await remote.call()
        await remote.chunk()
        remote.connection.transport.abort()

    async with server(handler) as address:
        peer = await WsPeer.connect(address, "t")
        work = (peer.renew(RENEW), peer.append(LogChunk("s", "a", 0, b"1")))
        results = await asyncio.gather(*work, return_exceptions=True)
        assert [type(result) for result in results] == [Disconnected, Disconnected]
        assert [delivery async for delivery in peer.deliveries()] == []
        with pytest.raises(Disconnected):
            await peer.renew(RENEW)


async def test_close_code_for_a_revoked_agent_refuses() -> None:
    async def handler(remote: Remote) -> None:
        await remote.connection.close(4003, "refused")

    async with server(handler) as address:
        peer = await WsPeer.connect(address, "t")
        with pytest.raises(Refused):
            await anext(peer.deliveries())


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, Refused), (403, Refused), (503, Disconnected), (404, UpgradeRefused), (200, UpgradeRefused)],
)
async def test_refused_upgrades_say_whose_refusal_it_is(status: int, expected: type[Exception]) -> None:
    def refuse(connection: ServerConnection, _: Request) -> Response:
        return connection.respond(http.HTTPStatus(status), "<html>no</html>")

    async with server(idle, process_request=refuse) as address:
        with pytest.raises(expected) as caught:
            await WsPeer.connect(address, "t")
        assert type(caught.value) is expected


async def test_unreachable_and_silent_servers_are_disconnected() -> None:
    async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    listener = await asyncio.start_server(mute, "127.0.0.1", 0)
    address = ServerAddress.parse(f"127.0.0.1:{listener.sockets[0].getsockname()[1]}")
    async with listener:
        with pytest.raises(Disconnected, match="no answer within"):
            await held_socket.open_socket(address, "t", lambda _: None, lambda _: None, within=0.05)
    with pytest.raises(Disconnected, match="cannot reach"):
        await WsPeer.connect(address, "t")


async def test_something_that_speaks_no_http_is_disconnected() -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n\r\n")
        writer.close()

    listener = await asyncio.start_server(talk, "127.0.0.1", 0)
    async with listener:
        address = ServerAddress.parse(f"127.0.0.1:{listener.sockets[0].getsockname()[1]}")
        with pytest.raises(Disconnected):
            await WsPeer.connect(address, "t")


async def test_kernel_watches_over_the_connection() -> None:
    import socket

    async with server(idle) as address:
        peer = await WsPeer.connect(address, "t")
        assert peer._socket is not None
        assert peer._socket._transport is not None
        raw = peer._socket._transport.get_extra_info("socket")
        assert raw.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 10_000
        await peer.close()


async def test_untrusted_certificate_is_refused_before_the_credential_is_sent() -> None:
    """A plain server behind an https address: the handshake fails, and nothing of ours was readable."""
    got: list[bytes] = []

    async def listen(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        got.append(await reader.read(65536))
        writer.close()

    listener = await asyncio.start_server(listen, "127.0.0.1", 0)
    async with listener:
        port = listener.sockets[0].getsockname()[1]
        with pytest.raises(Disconnected):
            await WsPeer.connect(ServerAddress.parse(f"https://127.0.0.1:{port}"), "secret-token")
    assert b"secret-token" not in b"".join(got)
    assert ssl.create_default_context().verify_mode is ssl.CERT_REQUIRED
