"""The connection on which a server listens for hints dies: it listens again, and hears what is sent then."""

from __future__ import annotations

import asyncio
import contextlib

import psycopg

from plumber_core.app import Plumber
from support.waiting import wait_until

LISTENING = "SELECT pid FROM pg_stat_activity WHERE query LIKE 'LISTEN%' AND datname = current_database()"


async def test_a_server_whose_listening_connection_was_cut_listens_again(postgres_url: str) -> None:
    heard: list[str] = []
    async with Plumber(postgres_url, local_agent=False) as plumber:
        own = await wait_until(lambda: listening(postgres_url), what="the server's own to listen")
        task = asyncio.create_task(plumber._store.listen(heard.append))
        try:
            both = await wait_until(lambda: len(found := listening(postgres_url)) == 2 and found)
            assert own <= both
            cut(postgres_url, both)
            again = await wait_until(lambda: len(found := listening(postgres_url) - both) == 2 and found)
            assert not again & both
            await plumber._store.notify("hint")
            await wait_until(lambda: heard == ["hint"])
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def listening(url: str) -> set[int]:
    """Return the processes of PostgreSQL that listen."""
    with psycopg.connect(url, autocommit=True) as connection:
        return {pid for (pid,) in connection.execute(LISTENING).fetchall()}


def cut(url: str, pids: set[int]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for pid in pids:
            connection.execute("SELECT pg_terminate_backend(%s)", [pid])
