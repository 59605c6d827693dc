"""PostgreSQL when connections are taken, lost or let go in the middle: callers are told to come again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.engine import make_url

from plumber_core.errors import Unavailable
from plumber_core.storage.dialects import hot_connections
from plumber_core.storage.dialects.postgres import PostgresDatabase
from support.waiting import wait_until

SLEEP: Any = SimpleNamespace(postgresql=(b"SELECT count(*) FROM pg_sleep($1)", ("seconds",)))
COUNT: Any = SimpleNamespace(postgresql=(b"SELECT count(*) FROM generate_series(1, $1)", ("number",)))
LEAVE: Any = SimpleNamespace(postgresql=(b"SELECT pg_terminate_backend(pg_backend_pid()), $1::bigint", ("number",)))


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(make_url(postgres_url))
    yield database
    await database.close()


async def test_a_full_pool_is_unavailable(database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database._engine.pool, "_timeout", 0.05)
    held = [await database._engine.connect() for _ in range(16)]
    with pytest.raises(Unavailable):
        await database.write(lambda connection: connection.execute(text("SELECT 1")))
    for connection in held:
        await connection.close()
    await database.write(lambda connection: connection.execute(text("SELECT 1")))


async def test_busy_hot_connections_are_unavailable(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hot_connections, "BUSY", 0.05)
    sleeping = [asyncio.create_task(database.hot(SLEEP, {"seconds": 5})) for _ in range(hot_connections.SIZE)]
    await wait_until(database._hot._turns.locked)
    with pytest.raises(Unavailable):
        await database.hot(COUNT, {"number": 1})
    for task in sleeping:
        task.cancel()
    await asyncio.gather(*sleeping, return_exceptions=True)
    assert await database.hot(COUNT, {"number": 1})


async def test_a_lost_connection_is_unavailable_once(database: PostgresDatabase) -> None:
    with pytest.raises(Unavailable):
        await database.hot(LEAVE, {"number": 1})
    assert await database.hot(COUNT, {"number": 1})
    assert not await database.hot(COUNT, {"number": 0})


async def test_numbers_of_any_size_share_one_statement(database: PostgresDatabase) -> None:
    for number in (1, 40_000, 3_000_000):
        assert await database.hot(COUNT, {"number": number})
    [link] = database._hot._idle
    cursor = await link.execute(b"SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE '%series%$1)'")
    assert await cursor.fetchone() == (1,)
