"""What libpq needs of an event loop: connections that nobody leaves half made, and sockets that are let go once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import psycopg


async def connected(*conninfo: str, **arguments: Any) -> psycopg.AsyncConnection[Any]:
    """Connect as ``psycopg.AsyncConnection.connect`` does; whoever is cancelled meanwhile leaves nothing behind.

    The driver drops a half made connection without closing it. PostgreSQL then waits up to a minute for the rest of the
    greeting, and whoever drops its database waits too.

    Raises: psycopg.Error.
    """
    connecting = asyncio.ensure_future(psycopg.AsyncConnection.connect(*conninfo, **arguments))
    try:
        return await asyncio.shield(connecting)
    except asyncio.CancelledError:
        with contextlib.suppress(psycopg.Error, OSError):
            await (await connecting).close()
        raise


class SocketWatch:
    """Calls ``readable`` whenever a connection's socket has something to read, until ``end``.

    libpq closes the socket of a connection that is lost. Its number may then be that of anybody's, so it is let go at
    once, and once.
    """

    def __init__(self, descriptor: int, readable: Callable[[], None]) -> None:
        self._loop = asyncio.get_running_loop()
        self._descriptor = descriptor
        self._watched = True
        self._loop.add_reader(descriptor, readable)

    def call_when_writable(self, writable: Callable[[], None]) -> None:
        """Call ``writable`` whenever there is room to write, until ``all_written``."""
        self._loop.add_writer(self._descriptor, writable)

    def all_written(self) -> None:
        """Look for room no more."""
        self._loop.remove_writer(self._descriptor)

    def end(self) -> None:
        """Let go of the socket; the second time does nothing."""
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._descriptor)
            self._loop.remove_writer(self._descriptor)
