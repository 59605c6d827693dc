"""A proxy between agents and their server that delays, holds, doubles, reorders, cuts and falsifies what passes."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

from support.beside import Beside

REFUSAL = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
TEXT = 1
MOST_ON_THE_WAY = 1000


@dataclass(frozen=True, slots=True)
class Frame:
    """One WebSocket frame as it passes; ``raw`` is what to send, any number of times."""

    to_server: bool
    opcode: int
    raw: bytes
    payload: bytes

    @property
    def message(self) -> dict[str, Any]:
        """The JSON of a text frame; nothing for others."""
        return dict(json.loads(self.payload)) if self.opcode == TEXT else {}

    @property
    def method(self) -> str:
        """What is called or told, such as ``renew``; empty for an answer."""
        return str(self.message.get("method", ""))


OnTheWay = asyncio.Queue["tuple[float, Frame] | None"]


@dataclass
class Faults:
    """What the proxy does; may be changed at any time.

    Args:
        frame: what is sent for a WebSocket frame, in order; by default the frame.
        repeat: how often a plain request is sent to the server, at once; the first answer is given back.
        answer: what becomes of the answer to a plain request, given both.
        upgrade: answers a WebSocket's greeting instead of the server.
        delay: seconds for which bytes are held, each way.
    """

    frame: Callable[[Frame], list[bytes]] = lambda frame: [frame.raw]
    repeat: Callable[[bytes], int] = lambda request: 1
    answer: Callable[[bytes, bytes], bytes] = lambda request, answer: answer
    upgrade: bytes | None = None
    delay: float = 0.0


class FaultProxy(Beside):
    """Listens on ``port`` of loopback, with TLS if wanted, and forwards to ``server_port``. A context manager."""

    def __init__(self, server_port: int, faults: Faults | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self.server_port, self.faults = server_port, faults or Faults()
        self.port = self.connections = 0
        self._tls = tls
        self._passes = asyncio.Event()

    @property
    def address(self) -> str:
        """Where agents find the server."""
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"

    def hold(self) -> None:
        """Let nothing through, and let nobody know: what is sent meanwhile arrives after ``release``."""
        self._loop.call_soon_threadsafe(self._passes.clear)

    def release(self) -> None:
        """Let everything through again."""
        self._loop.call_soon_threadsafe(self._passes.set)

    async def _open(self) -> None:
        self._passes.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, family=socket.AF_INET, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self.connections += 1
        try:
            # Before Python 3.12 the stream's own callback cannot bear a connection that was cancelled.
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await self._connection(reader, writer)
        finally:
            writer.transport.abort()
            self._tasks.discard(task)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            if b"\r\nupgrade: websocket" in head.lower():
                await self._web_socket(head, reader, writer)
                return
            request = head + await reader.readexactly(_length(head))
            answer = await self._first_answer(request)
            spoiled = self.faults.answer(request, answer)
            await self._pause()
            writer.write(spoiled)
            await writer.drain()
            if spoiled != answer:
                return

    async def _first_answer(self, request: bytes) -> bytes:
        asking = [asyncio.create_task(self._ask(request)) for _ in range(self.faults.repeat(request))]
        for task in asking:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        done, _ = await asyncio.wait(asking, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result()

    async def _ask(self, request: bytes) -> bytes:
        """Send a request on a connection of its own and return the whole answer."""
        await self._pause()
        reader, writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        try:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            return head + await reader.readexactly(_length(head))
        finally:
            writer.close()

    async def _web_socket(self, head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.faults.upgrade is not None:
            writer.write(self.faults.upgrade)
            await writer.drain()
            return
        await self._pause()
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        try:
            far_writer.write(head)
            writer.write(await far_reader.readuntil(b"\r\n\r\n"))
            there = asyncio.create_task(self._frames(reader, far_writer, to_server=True))
            here = asyncio.create_task(self._frames(far_reader, writer, to_server=False))
            try:
                await asyncio.wait((there, here), return_when=asyncio.FIRST_COMPLETED)
            finally:
                there.cancel()
                here.cancel()
                await asyncio.gather(there, here, return_exceptions=True)
        finally:
            far_writer.transport.abort()

    async def _frames(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, to_server: bool) -> None:
        # A long way: frames follow each other closely, and all arrive late.
        on_the_way: OnTheWay = asyncio.Queue(MOST_ON_THE_WAY)
        arriving = asyncio.create_task(self._arrive(on_the_way, writer))
        try:
            async for frame in read_frames(reader, to_server=to_server):
                await on_the_way.put((self._loop.time() + self.faults.delay, frame))
            await on_the_way.put(None)
            await arriving
        finally:
            arriving.cancel()

    async def _arrive(self, on_the_way: OnTheWay, writer: asyncio.StreamWriter) -> None:
        while (item := await on_the_way.get()) is not None:
            due, frame = item
            await self._until(due)
            await self._passes.wait()
            for raw in self.faults.frame(frame):
                writer.write(raw)
            await writer.drain()

    async def _pause(self) -> None:
        await self._until(self._loop.time() + self.faults.delay)
        await self._passes.wait()

    async def _until(self, moment: float) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout_at(moment):
                await (asyncio.Event().wait() if moment > self._loop.time() else asyncio.sleep(0))


async def read_frames(reader: asyncio.StreamReader, *, to_server: bool) -> AsyncIterator[Frame]:
    """Yield WebSocket frames until the connection ends."""
    with contextlib.suppress(asyncio.IncompleteReadError):
        while True:
            head = await reader.readexactly(2)
            length = head[1] & 0x7F
            more = await reader.readexactly({126: 2, 127: 8}.get(length, 0))
            mask = await reader.readexactly(4) if head[1] & 0x80 else b""
            data = await reader.readexactly(int.from_bytes(more, "big") if more else length)
            yield Frame(to_server, head[0] & 0x0F, head + more + mask + data, _unmasked(data, mask))


def _unmasked(data: bytes, mask: bytes) -> bytes:
    if not mask or not data:
        return data
    key = (mask * (len(data) // 4 + 1))[: len(data)]
    return (int.from_bytes(data, "big") ^ int.from_bytes(key, "big")).to_bytes(len(data), "big")


def _length(head: bytes) -> int:
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0
