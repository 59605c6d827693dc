"""``AsyncClient``: the control plane of a server, over HTTP. ``_sync.py`` is made from this file."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

from plumber_client import _async_nouns as nouns
from plumber_client._answers import Answer, log_query, read_answer, read_slice
from plumber_client._cursor import Cursor
from plumber_client._http import (
    AsyncSession,
    AsyncTransport,
    NetworkError,
    Response,
    base_url,
    encode,
    session_options,
    stream_timeout,
    unreachable,
)
from plumber_client._problems import error_of
from plumber_core.errors import Unavailable
from plumber_core.model.views import Event, LogGrowth, LogSlice


class AsyncClient:
    """Every operation of the server at ``url``, by noun; an async context manager.

    Args:
        url: Address of the server, such as ``https://plumber.example``.
        token: A session's or an API token; ``None`` reaches public operations only.
        timeout: Seconds that one call may take.
        transport: Replaces the network, for tests.

    Raises: InvalidRequest (not an address).
    """

    def __init__(
        self,
        url: str,
        token: str | None = None,
        *,
        timeout: float = 30,
        transport: AsyncTransport | None = None,
    ) -> None:
        self.url = base_url(url)
        self._session = AsyncSession(**session_options(self.url, token, timeout), transport=transport)
        self.sessions = nouns.Sessions(self.call)
        self.tokens = nouns.Tokens(self.call)
        self.tasks = nouns.Tasks(self.call)
        self.executions = nouns.Executions(self.call)
        self.agents = nouns.Agents(self.call)
        self.groups = nouns.Groups(self.call)
        self.executors = nouns.Executors(self.call)
        self.notifications = nouns.Notifications(self.call)
        self.subscribers = nouns.Subscribers(self.call)
        self.system = nouns.System(self.call)

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close all connections."""
        await self._session.aclose()

    async def call(self, operation: str, answer: type[Answer], arguments: dict[str, Any]) -> Answer:
        """Call an operation by its name; the nouns' methods are made of this.

        Raises: the operation's errors, Unreachable, ProtocolError.
        """
        headers = {"Content-Type": "application/json"}
        body = encode(arguments)
        try:
            response = await self._session.post(f"/api/{operation}", content=body, headers=headers)
        except NetworkError as error:
            raise unreachable(self.url, error) from error
        return read_answer(answer, response)

    async def read_log(
        self,
        attempt: str,
        offset: int = 0,
        limit: int = 1024 * 1024,
        *,
        line: int | None = None,
        tail: int | None = None,
    ) -> LogSlice:
        """Return durable log bytes of an attempt from ``offset`` on: whole frames, about ``limit`` bytes.

        Instead of an offset, ``line`` begins a little before that line (from 0), and ``tail`` that many bytes before
        the end.

        Raises: NotFound, InvalidRequest (an offset inside a frame, a place past the end, or two places), Unreachable.
        """
        query = log_query(offset, limit, line, tail)
        try:
            response = await self._session.get(f"/logs/{quote(attempt, safe='')}", params=query)
        except NetworkError as error:
            raise unreachable(self.url, error) from error
        return read_slice(attempt, offset, response)

    async def follow(
        self, *, execution: str | None = None, after: str | None = None
    ) -> AsyncIterator[Event | LogGrowth]:
        """Yield events after the cursor ``after`` (None: from now on), live ones, and hints of grown logs.

        Never ends by itself: a broken connection is made again where it stood, without a gap or a repeat.

        Raises: Unreachable (the first connection), Unauthenticated, Forbidden, NotFound.
        """
        cursor = Cursor(last_id=after)
        while True:
            try:
                async with self._open_events(execution, cursor) as response:
                    async for chunk in response.aiter_bytes():
                        for item in cursor.take(chunk):
                            yield item
            except NetworkError as error:
                if not cursor.established:
                    raise unreachable(self.url, error) from error
            except Unavailable:
                if not cursor.established:
                    raise
            await asyncio.sleep(cursor.pause())

    @asynccontextmanager
    async def _open_events(self, execution: str | None, cursor: Cursor) -> AsyncIterator[Response]:
        query = {"execution": execution} if execution else {}
        headers = {"Accept": "text/event-stream"}
        if cursor.last_id is not None:
            headers["Last-Event-ID"] = cursor.last_id
        async with self._session.stream(
            "GET", "/events", params=query, headers=headers, timeout=stream_timeout()
        ) as response:
            if response.status_code != 200:
                await response.aread()
                raise error_of(response)
            cursor.connected()
            yield response
