"""``GET /events``: everything observable, live, as server-sent events that resume where they stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

from litestar import Request, get
from litestar.params import FromQuery
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from plumber_core.app import Plumber
from plumber_core.control.plane import Feeding
from plumber_core.errors import PlumberError
from plumber_core.model.views import Event, LogGrowth, Position
from plumber_server.auth import declare
from plumber_server.credentials import credential, header

_log = logging.getLogger(__name__)
KEEPALIVE = 15.0
"""Seconds of silence after which a comment is sent, and between two looks at the caller's credential."""
FIRST_WAIT = 0.2
"""Seconds that a refusal (no such execution, a bad cursor) may take and still be told with its status."""
RETRY = 1000
"""Milliseconds after which a browser comes back to a stream that broke off."""
HEADERS = {"cache-control": "no-store", "x-accel-buffering": "no"}
Item = Position | Event | LogGrowth
Items = Sequence[Item]


def routes(plumber: Plumber) -> list[ControllerRouterHandler]:
    """Return the one address."""

    @get("/events", opt=declare("person"))
    async def events(
        request: Request[Any, Any, Any],
        execution: FromQuery[str | None] = None,
        after: FromQuery[str | None] = None,
    ) -> Stream:
        plane: Feeding = request.scope["state"]["plane"]
        token = credential(request.scope)
        resumed = header(request.scope, b"last-event-id")
        feed = Feed(plane.feed(execution=execution, after=resumed or after or None))
        await feed.begin()
        return Stream(feed.stream(lambda: plumber.authenticate(token)), media_type=TYPE, headers=HEADERS)

    return [events]


TYPE = "text/event-stream"


class Feed:
    """One follower: its next items are always being waited for, so that waiting can time out without losing them."""

    def __init__(self, items: AsyncIterator[Items]) -> None:
        self._items = items
        self._next = asyncio.create_task(self._take())

    async def _take(self) -> Items | None:
        return await anext(self._items, None)

    async def begin(self) -> None:
        """Wait a moment for a refusal.

        Raises: what following raises.
        """
        await asyncio.wait({self._next}, timeout=FIRST_WAIT)
        if self._next.done():
            self._next.result()

    async def stream(self, check: Callable[[], Awaitable[Any]]) -> AsyncGenerator[bytes, None]:
        """Yield the encoded events until they end or ``check`` raises that the credential is gone."""
        try:
            checked = _now()
            while True:
                await asyncio.wait({self._next}, timeout=KEEPALIVE)
                if _now() - checked >= KEEPALIVE:
                    await check()
                    checked = _now()
                if not self._next.done():
                    yield b": keepalive\n\n"
                    continue
                items = self._next.result()
                if items is None:
                    return
                yield b"".join(map(encode, items))
                self._next = asyncio.create_task(self._take())
        except PlumberError as error:
            # The status is sent: the client comes back and is told properly.
            _log.info("event stream ended: %s", error.code)
        finally:
            await self._close()

    async def _close(self) -> None:
        self._next.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await self._next
        if isinstance(self._items, AsyncGenerator):
            await self._items.aclose()


def encode(item: Item) -> bytes:
    """Return one item as a server-sent event; hints have no id, so that no resume depends on them.

    The position's id lets a client that heard nothing more resume without a gap.
    """
    body = item.model_dump_json()
    if isinstance(item, LogGrowth):
        return f"event: log\ndata: {body}\n\n".encode()
    if isinstance(item, Position):
        return f"retry: {RETRY}\nid: {item.cursor}\nevent: hello\ndata: {body}\n\n".encode()
    return f"id: {item.id}\nevent: {item.kind}\ndata: {body}\n\n".encode()


def _now() -> float:
    return asyncio.get_running_loop().time()
