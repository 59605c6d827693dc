"""The floor's agent: a held WebSocket, ``posix_spawn`` and ``pidfd``; no journal, no output, no limits."""

from __future__ import annotations

import asyncio
import os
import sys
from typing import Any, cast

from websockets.client import ClientProtocol
from websockets.frames import Frame, Opcode
from websockets.http11 import Response
from websockets.uri import parse_uri


class Agent(asyncio.Protocol):
    """One connection to the floor's server."""

    def __init__(self, url: str) -> None:
        self._socket = ClientProtocol(parse_uri(url))
        self._loop = asyncio.get_running_loop()
        self.lost = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._socket.send_request(self._socket.connect())
        self._flush()

    def connection_lost(self, error: Exception | None) -> None:
        self.lost.set_result(None)

    def data_received(self, data: bytes) -> None:
        self._socket.receive_data(data)
        for event in self._socket.events_received():
            if isinstance(event, Response):
                print("connected", flush=True)
            elif isinstance(event, Frame) and event.opcode is Opcode.TEXT:
                self._run(*bytes(event.data).decode().split(" "))
        self._flush()

    def _flush(self) -> None:
        for data in self._socket.data_to_send():
            self._transport.write(data)

    def _run(self, step: str, left: str, *argv: str) -> None:
        pid = os.posix_spawnp(argv[0], argv, os.environ)
        fd = os.pidfd_open(pid)
        self._loop.add_reader(fd, self._ended, pid, fd, f"{step} {left}")

    def _ended(self, pid: int, fd: int, step: str) -> None:
        self._loop.remove_reader(fd)
        os.close(fd)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self._socket.send_text(f"{step} {code}".encode())
        self._flush()


async def main(port: int, number: int) -> None:
    """Serve until the server is gone."""
    made: Any = await asyncio.get_running_loop().create_connection(
        lambda: Agent(f"ws://127.0.0.1:{port}/{number}"), "127.0.0.1", port
    )
    await made[1].lost


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
