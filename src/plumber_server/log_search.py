"""Searching a log: piece by piece, for as long as somebody waits for the answer."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Any, TypeVar
from weakref import WeakValueDictionary

from plumber_core.control.plane import ControlPlane
from plumber_core.errors import InvalidRequest
from plumber_core.model.views import LogSlice
from plumber_core.reasons import because
from plumber_server.frames import PIECE, pieces
from plumber_server.log_matching import Substring
from plumber_server.log_regex import expression
from plumber_server.log_text import Batch, LogText

MAX_HITS = 100_000
MAX_QUERY = 1000
AT_ONCE = 2
"""Searches that one server carries out at the same time; the others wait for their turn."""
Value = TypeVar("Value")
Find = Callable[[list[Batch]], Awaitable[list[int]]]


@dataclass(frozen=True, slots=True)
class Query:
    """What is looked for; ``limit`` line numbers are told, all are counted."""

    text: str
    regex: bool = False
    case: bool = False
    limit: int = 1000


class Searches:
    """Takes care that searches leave the server to others: few at once, and one of each session."""

    def __init__(self) -> None:
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._sessions: WeakValueDictionary[bytes, asyncio.Lock] = WeakValueDictionary()

    async def carry_out(
        self, session: str, work: Coroutine[Any, Any, Value], gone: Coroutine[Any, Any, None]
    ) -> Value | None:
        """Return what ``work`` returns when its turn has come; None when ``gone`` came first, and it was stopped."""
        working = asyncio.create_task(self._in_turn(session, work))
        leaving = asyncio.create_task(gone)
        try:
            await asyncio.wait({working, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return await working if working.done() else None
        finally:
            for task in (working, leaving):
                task.cancel()
            await asyncio.gather(working, leaving, return_exceptions=True)
            work.close()

    async def _in_turn(self, session: str, work: Awaitable[Value]) -> Value:
        key = hashlib.sha256(session.encode()).digest()
        lock = self._sessions.setdefault(key, asyncio.Lock())
        async with lock, self._turns:
            return await work


async def search(plane: ControlPlane, attempt: str, query: Query) -> dict[str, Any]:
    """Return ``count`` of the matching lines, ``hits`` (their numbers, the first ones), ``truncated``, ``complete``.

    A line is what it printed, escape sequences left out; what a carriage return overwrote counts too.

    Raises: NotFound, InvalidRequest, Unavailable (the log broke off).
    """
    if not query.text or len(query.text) > MAX_QUERY or "\n" in query.text:
        raise InvalidRequest(field="q", reason=because("bad_query", most=1000))
    first = await plane.read_log(attempt, 0, PIECE)
    count, hits = 0, list[int]()
    async with _finder(query) as find, aclosing(_batches(plane, attempt, first)) as batches:
        async for some in batches:
            found = await find(some)
            count += len(found)
            hits.extend(sorted(found)[: query.limit - len(hits)])
    return {"count": count, "hits": hits, "truncated": count > len(hits), "complete": first.complete}


async def _batches(plane: ControlPlane, attempt: str, first: LogSlice) -> AsyncGenerator[list[Batch], None]:
    """Yield the text of a log."""
    text = LogText()
    async with aclosing(pieces(plane, attempt, first)) as found:
        async for piece in found:
            yield await asyncio.to_thread(text.feed, piece.data)
    yield text.finish()


@asynccontextmanager
async def _finder(query: Query) -> AsyncIterator[Find]:
    """Provide what returns the numbers of the matching lines that end in some batches."""
    if query.regex:
        async with expression(query.text, query.case) as matcher:
            yield matcher.find_all
    else:
        substring = Substring(query.text, query.case)
        yield lambda batches: asyncio.to_thread(substring.find_all, batches)
