"""A proxy between an agent and its server that lets no WebSocket through, as many in offices do."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from support.beside import Beside

_REFUSAL = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class NoUpgrades(Beside):
    """Forwards plain HTTP and answers 400 to an upgrade; ``refused`` counts them. A context manager."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self._port = port
        self.refused = 0
        self.address = ""

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.address = f"http://{host}:{port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._connection(reader, writer)
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if b"\r\nupgrade: websocket" in head.lower():
            self.refused += 1
            writer.write(_REFUSAL)
            await writer.drain()
            return
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._port, family=socket.AF_INET)
        try:
            far_writer.write(head)
            back = asyncio.create_task(_copy(far_reader, writer))
            await _copy(reader, far_writer)
            back.cancel()
            await asyncio.gather(back, return_exceptions=True)
        finally:
            far_writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
