"""Hot writes of many at a time on the real databases: one transaction, and none spoils another."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from sqlalchemy.exc import IntegrityError

from plumber_core.storage.database import Database, connect
from plumber_core.storage.script import Script
from plumber_core.storage.store import SqlStore

WRITE = Script(
    guard="SELECT 1 WHERE CAST(:execution AS TEXT) <> 'stale'",
    writes=("INSERT INTO gathered (execution) SELECT CAST(:execution AS TEXT) WHERE {ok}",),
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    store = SqlStore(connect(database_url))
    await store.open()
    await _run(store.database, "CREATE TABLE gathered (execution TEXT PRIMARY KEY)")
    yield store.database
    await store.close()


async def _run(database: Database, sql: str) -> Any:
    def work(connection: Any) -> Any:
        result = connection.exec_driver_sql(sql)
        return sorted(tuple(row) for row in result) if result.returns_rows else None

    return await database.write(work)


async def _write(database: Database, *executions: str) -> list[Any]:
    """Write all at once: the first alone, the others gather behind it."""
    writes = (database.hot(WRITE, {"execution": execution}) for execution in executions)
    return await asyncio.gather(*writes, return_exceptions=True)


async def test_many_writes_share_a_transaction(database: Database) -> None:
    assert await _write(database, "a", "d", "stale", "c", "b") == [True, True, False, True, True]
    assert await _run(database, "SELECT execution FROM gathered") == [("a",), ("b",), ("c",), ("d",)]
    if database.dialect == "postgresql":
        assert len(await _run(database, "SELECT DISTINCT xmin::text FROM gathered WHERE execution > 'a'")) == 1


async def test_a_write_that_fails_leaves_the_others_alone(database: Database) -> None:
    assert await _write(database, "taken") == [True]
    first, b, taken, c = await _write(database, "a", "b", "taken", "c")
    assert (first, b, c) == (True, True, True)
    assert isinstance(taken, IntegrityError)
    assert await _run(database, "SELECT execution FROM gathered") == [("a",), ("b",), ("c",), ("taken",)]
    assert await _write(database, "d", "e", "f") == [True, True, True]
