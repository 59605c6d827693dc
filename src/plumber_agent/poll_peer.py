"""The same messages by long poll over httpx, for networks that let no WebSocket through."""

from __future__ import annotations

import asyncio
import itertools
import ssl
import time
from collections.abc import AsyncIterator
from typing import Any, NoReturn

import httpx

from plumber_agent.address import ServerAddress
from plumber_agent.calls import Calls
from plumber_agent.wire import encode_call, encode_value, raise_problem, read_answer, read_delivery, read_object
from plumber_core.model.limits import LONG_POLL
from plumber_core.protocol.codec import encode_chunk
from plumber_core.protocol.messages import (
    Delivery,
    Hello,
    LogChunk,
    LogEnd,
    Welcome,
)
from plumber_core.protocol.peer import Disconnected, Refused, SessionOver
from plumber_core.version import __version__

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
POLL_TIMEOUT = httpx.Timeout(LONG_POLL + 10.0, connect=10.0)
HASTY = 0.5
"""Seconds: an empty answer that came sooner is no long poll, and the next one waits."""


class PollPeer(Calls):
    """Implements ``protocol.peer.Peer``.

    Args:
        lifetime: seconds after which ``deliveries`` ends, so that a WebSocket gets another chance.
        transport: what carries requests instead of the network, for tests.
    """

    def __init__(
        self,
        address: ServerAddress,
        token: str,
        *,
        lifetime: float = float("inf"),
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._client = httpx.AsyncClient(
            base_url=address.url(),
            headers={"Authorization": f"Bearer {token}", "User-Agent": f"plumber-agent/{__version__}"},
            timeout=TIMEOUT,
            trust_env=not address.loopback,
            verify=ssl.create_default_context() if address.secure else False,
            transport=transport,
        )
        self._numbers = itertools.count(1)
        self._session = ""
        self._greeted = asyncio.Event()
        self._ends = time.monotonic() + lifetime

    async def hello(self, message: Hello) -> Welcome:
        answer = await super().hello(message)
        if answer.session:
            self._session = answer.session
            self._greeted.set()
        return answer

    async def append(self, chunk: LogChunk) -> LogEnd:
        data = encode_chunk(chunk)
        del chunk
        answer = await self._post("/agent/v1/logs", data, "application/octet-stream")
        end = read_delivery("log_end", answer)
        if not isinstance(end, LogEnd):
            raise Disconnected("the answer to a log chunk cannot be read")
        return end

    async def deliveries(self) -> AsyncIterator[Delivery]:
        while time.monotonic() < self._ends:
            await self._greeted.wait()
            for delivery in await self._poll():
                yield delivery

    async def _poll(self) -> list[Delivery]:
        asked = time.monotonic()
        body = encode_value({"session": self._session, "wait": LONG_POLL})
        try:
            answer = await self._post("/agent/v1/poll", body, "application/json", POLL_TIMEOUT)
        except SessionOver:
            # The next renewal says so too, and then there is another hello.
            self._greeted.clear()
            return []
        found = [_read(item) for item in answer.get("deliveries", ())]
        if not found and time.monotonic() - asked < HASTY:
            await asyncio.sleep(HASTY)
        return [delivery for delivery in found if delivery is not None]

    async def close(self) -> None:
        await self._client.aclose()

    async def _call(self, method: str, message: Any) -> Any:
        body = encode_call(next(self._numbers), method, message)
        return read_answer(method, await self._post("/agent/v1/rpc", body, "application/json"))

    async def _post(self, path: str, body: bytes, kind: str, timeout: httpx.Timeout = TIMEOUT) -> dict[str, Any]:
        headers = {"Content-Type": kind} | ({"Plumber-Session": self._session} if self._session else {})
        try:
            response = await self._client.post(path, content=body, headers=headers, timeout=timeout)
        except (httpx.HTTPError, httpx.InvalidURL, RuntimeError) as error:
            raise Disconnected(f"cannot reach {self._client.base_url}: {error or type(error).__name__}") from error
        return _judged(response)


def _read(item: Any) -> Delivery | None:
    try:
        return read_delivery(str(item["kind"]), item)
    except (KeyError, TypeError, ValueError):
        return None


def _judged(response: httpx.Response) -> dict[str, Any]:
    """Return the answer's object.

    Raises:
        PeerError, PlumberError: it is an error.
    """
    status = response.status_code
    if status in (401, 403):
        raise Refused(f"HTTP {status}")
    if status == 429 or status >= 500:
        raise Disconnected(f"HTTP {status}")
    answer = read_object(response.content)
    if status >= 400:
        _refuse(answer, status)
    return answer


def _refuse(problem: dict[str, Any], status: int) -> NoReturn:
    sentence = str(problem.get("detail", f"HTTP {status}"))
    if problem.get("code") == "session_over":
        raise SessionOver(sentence)
    if "code" not in problem:
        raise Disconnected(sentence)
    raise_problem(problem, sentence)
