"""An agent's held WebSocket: calls in, answers and deliveries out, at the level of ASGI messages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, NamedTuple

from litestar.types import Receive, Send

from plumber_core.errors import PlumberError, Unavailable
from plumber_core.protocol import codec
from plumber_core.protocol.messages import LogChunk
from plumber_core.protocol.peer import Disconnected, Peer, PeerError, Refused, SessionOver
from plumber_server import agent_wire as wire

_log = logging.getLogger(__name__)
MAX_CALLS = 64
"""Calls and log chunks of one agent in work at a time; reading stops above it."""
MAX_LOG_BYTES = 8 * 1024 * 1024
"""Log bytes of one agent that are not stored yet; reading stops above it."""
LINGER = 2.0
"""Seconds that calls in work may take to be answered once the connection ends from this side."""


class Ending(NamedTuple):
    """Why a connection is closed: a WebSocket close code and a reason."""

    code: int
    reason: str


GOING_AWAY = Ending(1001, "going away")
BROKEN = Ending(1008, "not a log chunk")
FAILED = Ending(1011, "internal error")
TRY_LATER = Ending(1013, "try again later")
SESSION_ENDED = Ending(4001, "session over")
REFUSED = Ending(4003, "refused")


class AgentSocket:
    """One connection of one authenticated agent."""

    def __init__(self, peer: Peer, receive: Receive, send: Send) -> None:
        self._peer, self._receive, self._send = peer, receive, send
        self._work: set[asyncio.Task[None]] = set()
        self._appends: dict[str, asyncio.Task[None]] = {}
        self._log_bytes = 0
        self._pump: asyncio.Task[None] | None = None
        self._ending: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()

    async def run(self) -> None:
        """Serve until either side ends the connection."""
        if (await self._receive())["type"] != "websocket.connect":
            return
        await self._send({"type": "websocket.accept", "subprotocol": None, "headers": []})
        reader = asyncio.create_task(self._read())
        sides: set[asyncio.Future[Any]] = {reader, self._ending}
        try:
            await asyncio.wait(sides, return_when=asyncio.FIRST_COMPLETED)
            if not reader.done():
                await self._say_goodbye(reader)
        finally:
            await self._clean_up(reader)

    async def _say_goodbye(self, reader: asyncio.Task[None]) -> None:
        ending = self._ending.result()
        if self._work:
            await asyncio.wait(set(self._work), timeout=LINGER)
        if not reader.done():
            await self._transmit({"type": "websocket.close", "code": ending.code, "reason": ending.reason})

    async def _clean_up(self, reader: asyncio.Task[None]) -> None:
        remaining = [reader, *self._work, *([self._pump] if self._pump else [])]
        for task in remaining:
            task.cancel()
        await asyncio.gather(*remaining, return_exceptions=True)
        self._ending.cancel()
        await self._peer.close()

    async def _read(self) -> None:
        while True:
            message: Any = await self._receive()
            if message["type"] == "websocket.disconnect":
                return
            if (data := message.get("bytes")) is not None:
                self._take_chunk(data)
            else:
                self._take_call(message["text"])
            while len(self._work) >= MAX_CALLS or self._log_bytes > MAX_LOG_BYTES:
                await asyncio.wait(self._work, return_when=asyncio.FIRST_COMPLETED)

    def _take_call(self, text: str) -> None:
        try:
            request = wire.read(wire.decode(text))
        except wire.Malformed as error:
            self._start(self._tell(wire.failure(error.id, error)))
            return
        self._start(self._answer(request))

    async def _answer(self, request: wire.Request) -> None:
        if request.method == "report" and self._appends:
            await self._settle(request.message.attempt)
        try:
            result = await wire.call(self._peer, request)
        except Exception as error:
            await self._tell(wire.failure(request.id, error))
            if isinstance(error, (Refused, Disconnected)):
                self._end(error)
            return
        await self._tell(wire.success(request.id, result))
        if request.method == "hello" and result["status"] == "ok":
            self._listen()

    async def _settle(self, attempt: str) -> None:
        """Let a report's tail follow the chunks that were sent before it."""
        pending = self._appends.get(attempt)
        if pending is not None:
            await asyncio.wait({pending})

    def _take_chunk(self, data: bytes) -> None:
        try:
            chunk = codec.decode_chunk(data)
        except ValueError:
            self._finish(BROKEN)
            return
        self._log_bytes += len(data)
        previous = self._appends.get(chunk.attempt)
        task = self._start(self._append(chunk, previous, len(data)))
        self._appends[chunk.attempt] = task

    async def _append(self, chunk: LogChunk, previous: asyncio.Task[None] | None, size: int) -> None:
        try:
            if previous is not None:
                await asyncio.wait({previous})
            await self._tell(wire.notification(await self._peer.append(chunk)))
        except Exception as error:
            self._end(error)
        finally:
            self._log_bytes -= size
            if self._appends.get(chunk.attempt) is asyncio.current_task():
                del self._appends[chunk.attempt]

    def _listen(self) -> None:
        """A hello opens a session with deliveries of its own, which follow its answer."""
        if self._pump is not None:
            self._pump.cancel()
        self._pump = asyncio.create_task(self._deliver())

    async def _deliver(self) -> None:
        try:
            async for delivery in self._peer.deliveries():
                await self._tell(wire.notification(delivery))
        except Exception as error:
            self._end(error)
        else:
            self._finish(GOING_AWAY)

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._work.add(task)
        task.add_done_callback(self._work.discard)
        return task

    async def _tell(self, text: bytes) -> None:
        await self._transmit({"type": "websocket.send", "text": text.decode(), "bytes": None})

    async def _transmit(self, message: Any) -> None:
        try:
            await self._send(message)
        except Exception:
            # Each server has its own exception for "the other end is gone"; the reader sees it too.
            self._finish(GOING_AWAY)

    def _end(self, error: Exception) -> None:
        """Close the connection for an error that has no answer of its own; the agent comes back and says hello."""
        if isinstance(error, SessionOver):
            self._finish(SESSION_ENDED)
        elif isinstance(error, Refused):
            self._finish(REFUSED)
        elif isinstance(error, (Disconnected, Unavailable)):
            self._finish(TRY_LATER)
        else:
            if not isinstance(error, (PlumberError, PeerError)):
                _log.error("agent connection failed", exc_info=error)
            self._finish(FAILED)

    def _finish(self, ending: Ending) -> None:
        if not self._ending.done():
            self._ending.set_result(ending)
