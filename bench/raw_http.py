"""The cheapest HTTP client: one held connection, one request at a time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Self


class RawHttp:
    """A keep-alive connection on loopback; answers must have a Content-Length."""

    def __init__(self, port: int, headers: dict[str, str]) -> None:
        self._port = port
        self._head = "".join(f"{name}: {value}\r\n" for name, value in {"host": "127.0.0.1", **headers}.items())

    @classmethod
    async def connect(cls, port: int, **headers: str) -> Self:
        """Connect; ``headers`` go with every request."""
        http = cls(port, headers)
        await http.again()
        return http

    async def again(self) -> None:
        """Connect anew."""
        self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)

    async def request(self, path: str, body: bytes = b"", method: str = "POST") -> tuple[int, bytes]:
        """Return the status and the body of the answer."""
        if self._reader.at_eof():  # the server ends what was idle for long
            await self.again()
        self._writer.write(
            f"{method} {path} HTTP/1.1\r\n{self._head}content-length: {len(body)}\r\n\r\n".encode() + body
        )
        head = await self._reader.readuntil(b"\r\n\r\n")
        lines = head.decode("latin-1").lower().split("\r\n")
        length = next((int(line[15:]) for line in lines if line.startswith("content-length:")), 0)
        return int(lines[0].split()[1]), await self._reader.readexactly(length)

    async def download(self, path: str) -> AsyncIterator[bytes]:
        """Yield the body of an answer whose length nobody knows beforehand."""
        await self.again()
        self._writer.write(f"GET {path} HTTP/1.1\r\n{self._head}content-length: 0\r\n\r\n".encode())
        head = await self._reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200"), head
        while length := int(await self._reader.readline(), 16):
            yield await self._reader.readexactly(length)
            await self._reader.readexactly(2)
        await self._reader.readexactly(2)

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
