"""The control plane over a held WebSocket: one hop for every message."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections import deque
from collections.abc import AsyncIterator
from typing import Any, Self

from plumber_agent.address import ServerAddress
from plumber_agent.calls import Calls
from plumber_agent.held_socket import Socket, open_socket
from plumber_agent.wire import encode_call, read_answer, read_delivery, read_object
from plumber_core.crash import crash_point
from plumber_core.errors import PlumberError
from plumber_core.protocol.codec import encode_chunk
from plumber_core.protocol.messages import (
    Delivery,
    LogChunk,
    LogEnd,
)
from plumber_core.protocol.peer import Disconnected, PeerError, Refused

log = logging.getLogger("plumber.agent")


class WsPeer(Calls):
    """Implements ``protocol.peer.Peer``; made by ``connect``."""

    def __init__(self) -> None:
        self._socket: Socket | None = None
        self._numbers = itertools.count(1)
        self._calls: dict[int, tuple[str, asyncio.Future[Any]]] = {}
        self._appends: dict[str, deque[asyncio.Future[LogEnd]]] = {}
        self._pushed: asyncio.Queue[Delivery | None] = asyncio.Queue()
        self._over: PeerError | None = None

    @classmethod
    async def connect(cls, address: ServerAddress, token: str) -> Self:
        """Open a connection.

        Raises:
            Refused, UpgradeRefused, Disconnected: see ``open_socket``.
        """
        peer = cls()
        peer._socket = await open_socket(address, token, peer._received, peer._lost)
        return peer

    async def append(self, chunk: LogChunk) -> LogEnd:
        attempt, data = chunk.attempt, encode_chunk(chunk)
        del chunk
        answer: asyncio.Future[LogEnd] = asyncio.get_running_loop().create_future()

        def written() -> None:
            # Answers come in the order in which chunks of an attempt were written.
            self._appends.setdefault(attempt, deque()).append(answer)

        sending = self._held().send_binary(data, written)
        del data
        await sending
        return await answer

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while (delivery := await self._pushed.get()) is not None:
            yield delivery
        self._pushed.put_nowait(None)
        if isinstance(self._over, Refused):
            raise self._over

    async def close(self) -> None:
        if self._socket is not None:
            self._socket.close()

    def _held(self) -> Socket:
        if self._over is not None or self._socket is None:
            raise self._over or Disconnected("not connected")
        return self._socket

    def _call(self, method: str, message: Any) -> asyncio.Future[Any]:
        number, answer = next(self._numbers), asyncio.get_running_loop().create_future()
        try:
            self._held().send_text(encode_call(number, method, message))
        except PeerError as error:
            answer.set_exception(error)
            return answer
        crash_point(f"link.{method}_sent")
        self._calls[number] = method, answer
        answer.add_done_callback(lambda _: self._calls.pop(number, None))
        return answer

    def _received(self, text: str) -> None:
        try:
            message = read_object(text)
            if "method" in message:
                self._notified(message["method"], message.get("params"))
            else:
                self._answered(message)
        except (ValueError, Disconnected) as error:
            log.warning("A message of the server cannot be read: %s", error)

    def _answered(self, message: dict[str, Any]) -> None:
        method, waiting = self._calls.get(message.get("id", 0), ("", None))
        if waiting is None or waiting.done():
            return
        try:
            waiting.set_result(read_answer(method, message))
        except (PeerError, PlumberError) as error:
            waiting.set_exception(error)

    def _notified(self, method: str, params: Any) -> None:
        delivery = read_delivery(method, params)
        if isinstance(delivery, LogEnd) and (waiting := self._appends.get(delivery.attempt)):
            answer = waiting.popleft()
            if not waiting:
                del self._appends[delivery.attempt]
            with contextlib.suppress(asyncio.InvalidStateError):
                answer.set_result(delivery)
        elif delivery is not None:
            self._pushed.put_nowait(delivery)

    def _lost(self, reason: PeerError) -> None:
        self._over = reason
        calls = (answer for _, answer in self._calls.values())
        waiters: list[asyncio.Future[Any]] = [*calls, *itertools.chain(*self._appends.values())]
        for waiting in waiters:
            if not waiting.done():
                waiting.set_exception(reason)
        self._appends.clear()
        self._pushed.put_nowait(None)
