"""PostgreSQL when connections are taken, lost or let go in the middle: callers are told to come again."""

from __future__ import annotations

import asyncio
import gc
import os
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import Connection, text
from sqlalchemy.engine import make_url

from plumber_core.errors import Unavailable
from plumber_core.storage.dialects import gathering, hot_connections
from plumber_core.storage.dialects.postgres import PostgresDatabase
from plumber_core.storage.store import SqlStore
from support.waiting import wait_until

SLEEP: Any = SimpleNamespace(postgresql=(b"SELECT count(*) FROM pg_sleep($1)", ("seconds",)))
COUNT: Any = SimpleNamespace(postgresql=(b"SELECT count(*) FROM generate_series(1, $1)", ("number",)))
LEAVE: Any = SimpleNamespace(postgresql=(b"SELECT pg_terminate_backend(pg_backend_pid()), $1::bigint", ("number",)))


@pytest.fixture
async def database(postgres_url: str) -> AsyncIterator[PostgresDatabase]:
    database = PostgresDatabase(make_url(postgres_url))
    store = SqlStore(database)
    await store.open()
    yield database
    await store.close()


def one(connection: Connection) -> int:
    return int(connection.execute(text("SELECT 1")).scalar_one())


async def test_slow_pages_make_pages_unavailable_and_nothing_else(database: PostgresDatabase) -> None:
    slow = text("SELECT pg_sleep(9)")
    sleeping = [asyncio.create_task(database.look(lambda c: c.execute(slow))) for _ in range(8)]
    await wait_until(lambda: database._pages.pool.checkedout() == 8)  # type: ignore[attr-defined]
    with pytest.raises(Unavailable):
        await database.look(one)
    assert not any(task.done() for task in sleeping)
    assert [await call(one) for call in (database.read, database.write, database.single)] == [1, 1, 1]
    for task in sleeping:
        task.cancel()
    await asyncio.gather(*sleeping, return_exceptions=True)
    assert await database.look(one) == 1


SQLSTATES = {"serialization_failure": "40001", "deadlock_detected": "40P01"}


@pytest.mark.parametrize("failure", SQLSTATES)
async def test_what_passes_is_tried_again_a_few_times(database: PostgresDatabase, failure: str) -> None:
    tries: list[int] = []
    again = f"DO $$ BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '{SQLSTATES[failure]}'; END $$"

    def work(connection: Connection) -> int:
        tries.append(1)
        if len(tries) < 5:
            connection.execute(text(again))
        return one(connection)

    assert await database.write(work) == 1
    assert (len(tries), database.counts["plumber_database_retries_total"]) == (5, 4)
    with pytest.raises(Unavailable):
        await database.write(lambda connection: connection.execute(text(again)))


async def test_connections_give_up_on_a_dead_network_and_on_locks(database: PostgresDatabase) -> None:
    def settings(connection: Connection) -> dict[str, str]:
        names = ("statement_timeout", "lock_timeout", "idle_in_transaction_session_timeout")
        return {name: str(connection.execute(text(f"SHOW {name}")).scalar_one()) for name in names}

    found = await database.write(settings)
    assert found == {
        "statement_timeout": "10s",
        "lock_timeout": "5s",
        "idle_in_transaction_session_timeout": "15s",
    }
    async with database._engine.connect() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        parameters = raw.info.get_parameters()  # type: ignore[union-attr]
    assert (parameters["tcp_user_timeout"], parameters["connect_timeout"]) == ("5000", "3")
    assert (parameters["keepalives_idle"], parameters["keepalives_count"]) == ("2", "3")


async def test_busy_hot_connections_are_unavailable(
    database: PostgresDatabase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gathering, "BUSY", 0.05)
    monkeypatch.setattr(gathering, "SLOW", 0.0)
    sleeping = [asyncio.create_task(database.hot(SLEEP, {"seconds": 5})) for _ in range(hot_connections.SIZE)]
    await wait_until(lambda: len(database._gathering._begun) == hot_connections.SIZE)
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


async def test_a_lost_connection_leaves_alone_who_has_its_sockets_number_next(
    database: PostgresDatabase,
) -> None:
    assert await database.hot(COUNT, {"number": 1})
    [link] = database._hot._idle
    number = link._connection.fileno()
    mine, other = socket.socketpair()
    terminate = text(f"SELECT pg_terminate_backend({link._connection.info.backend_pid})")
    await database.write(lambda connection: connection.execute(terminate))
    await wait_until(lambda: link.lost)
    os.dup2(other.fileno(), number)
    reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=number))
    assert await database.hot(COUNT, {"number": 1})
    mine.send(b"still heard\n")
    assert await reader.readline() == b"still heard\n"
    writer.close()
    await writer.wait_closed()
    mine.close()
    other.close()


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_whoever_gives_up_while_connecting_leaves_no_connection_behind(postgres_url: str) -> None:
    database = PostgresDatabase(make_url(postgres_url))
    before = _open_files()
    gc.disable()
    try:
        for call in (database.read(one), database.write(one), database.hot(COUNT, {"number": 1})):
            asking = asyncio.create_task(call)
            while _open_files() == before:  # noqa: ASYNC110 - each turn of the loop may be the last one in time
                await asyncio.sleep(0)
            asking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asking
            await database.close()
            assert _open_files() == before
    finally:
        gc.enable()


async def test_numbers_of_any_size_share_one_statement(database: PostgresDatabase) -> None:
    for number in (1, 40_000, 3_000_000):
        assert await database.hot(COUNT, {"number": number})
    [link] = database._hot._idle
    assert len(link._names) == 1
