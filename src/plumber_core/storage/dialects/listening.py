"""Hearing what PostgreSQL tells a connection that listens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import psycopg

from plumber_core.storage.dialects.libpq import SocketWatch


async def hear(connection: psycopg.AsyncConnection[Any], heard: Callable[[str], None]) -> None:
    """Tell what comes, until the connection is lost: the driver's own way wakes up ten times a second for nothing.

    Raises: psycopg.Error (it was lost).
    """
    libpq = connection.pgconn
    over: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def readable() -> None:
        try:
            libpq.consume_input()
            while (notification := libpq.notifies()) is not None:
                heard(notification.extra.decode())
        except Exception as error:
            watch.end()
            if not over.done():
                over.set_exception(error)

    watch = SocketWatch(connection.fileno(), readable)
    try:
        readable()
        await over
    finally:
        watch.end()
