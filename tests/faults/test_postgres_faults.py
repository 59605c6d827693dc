"""PostgreSQL is restarted, killed, locked, full, exhausted or read-only: nothing is lost, nothing happens twice."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from support.api import attempt_of, metrics, show
from support.history import rows
from support.loads import Load
from support.postgres import OwnServer, fresh_database
from support.programs import CallFailed, RunningServer
from support.waiting import wait_until_sync

# What PostgreSQL has acknowledged survives its processes; only the machine may not fail.
KEEPS_COMMITS = {"synchronous_commit": "on", "full_page_writes": "on"}


@pytest.fixture
def own_postgres() -> Iterator[OwnServer]:
    """A PostgreSQL of this test alone, which it may kill."""
    server = OwnServer(settings=KEEPS_COMMITS | {"max_connections": "60"})
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture
def load(own_postgres: OwnServer, start_load: Callable[..., Load]) -> Iterator[Load]:
    with fresh_database(own_postgres) as url:
        load = start_load(url, "one", "two")
        yield load
        load.server.process.kill()


@pytest.fixture
def sql(own_postgres: OwnServer, load: Load) -> Iterator[psycopg.Connection[Any]]:
    """A connection to the server's database, for whoever gets in its way."""
    with psycopg.connect(load.server.database_url, autocommit=True) as connection:
        yield connection


@pytest.mark.row(41)
@pytest.mark.quick
def test_postgresql_may_be_restarted_under_load(load: Load, own_postgres: OwnServer) -> None:
    load.start()
    load.wait_until_begun()
    own_postgres.restart()
    load.prove()


@pytest.mark.row(42)
def test_postgresql_may_be_killed_again_and_again_and_recovers(load: Load, own_postgres: OwnServer) -> None:
    for _ in range(3):
        load.start(2)
        load.wait_until_begun()
        own_postgres.kill()
        own_postgres.restart()
        wait_until_sync(lambda: not load.refused(), 60, "the server to write again")
    load.prove()


@pytest.mark.row(47)
def test_serialisation_failures_are_tried_again(load: Load, sql: psycopg.Connection[Any]) -> None:
    database = load.server.database_url.partition("?")[0].rpartition("/")[2]
    sql.execute(f"ALTER DATABASE {database} SET default_transaction_isolation = 'serializable'".encode())
    load.server.process.kill()
    load.server.restart()
    load.start(12, seconds=0)
    load.prove()
    assert metrics(load.server)["plumber_database_retries_total"] > 0


@pytest.mark.row(47)
def test_of_two_that_wait_for_each_other_the_server_gives_way_and_tries_again(
    load: Load, sql: psycopg.Connection[Any]
) -> None:
    load.start(1, seconds=1)
    execution = load.executions[0]
    step = attempt_of(load.server, execution).rsplit("-", 2)[0]
    # Who has waited longest is the one that PostgreSQL sends away, and this session will not look for an hour.
    sql.execute("SET deadlock_timeout = '1h'")
    with sql.transaction():
        sql.execute("SELECT 1 FROM progress WHERE execution_id = %s FOR UPDATE", [execution])
        wait_until_sync(lambda: waits_for_locks(load.server), 30, "the server to wait for the lock")
        sql.execute("SELECT 1 FROM step_executions WHERE id = %s FOR UPDATE", [step])
    load.prove()
    assert metrics(load.server)["plumber_database_retries_total"] > 0


def waits_for_locks(server: RunningServer) -> bool:
    """Say whether one of the server's statements waits for a lock."""
    query = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND application_name = 'plumber'"
    with psycopg.connect(server.database_url, autocommit=True) as connection:
        return connection.execute(query).fetchone() is not None


@pytest.mark.row(48)
def test_a_lock_that_is_held_for_too_long_makes_a_call_unavailable_and_is_counted(
    load: Load, sql: psycopg.Connection[Any]
) -> None:
    load.start(1, seconds=1)
    execution = load.executions[0]
    attempt_of(load.server, execution)
    with sql.transaction():
        sql.execute("SELECT 1 FROM executions WHERE id = %s FOR UPDATE", [execution])
        with pytest.raises(CallFailed) as refused:
            load.server.call("execution.cancel", execution=execution)
    assert refused.value.code == "unavailable"
    assert metrics(load.server)["plumber_database_lock_timeouts_total"] > 0
    load.prove()


@pytest.mark.row(49)
def test_while_slow_pages_use_up_their_connections_agents_work_on(load: Load, sql: psycopg.Connection[Any]) -> None:
    executions = load.start(2, steps=8, seconds=1)
    load.wait_until_begun()
    with contextlib.ExitStack() as stack:
        stack.enter_context(sql.transaction())
        # Whoever lists tasks waits for this lock, and holds a connection meanwhile.
        sql.execute("LOCK TABLE tasks IN ACCESS EXCLUSIVE MODE")
        readers = [threading.Thread(target=list_tasks_until, args=(load.server, executions)) for _ in range(30)]
        for reader in readers:
            stack.callback(reader.join)
            reader.start()
        wait_until_sync(lambda: waits_for_locks(load.server), 30, "pages to wait")
        wait_until_sync(lambda: ended_in(load.server, executions), 60, "all steps to end meanwhile")
    history = load.prove()
    assert [moves for moves in history.moves.values() if "unreachable" in moves] == []


def ended_in(server: RunningServer, executions: list[str]) -> bool:
    """Say whether all have ended, by the database itself."""
    found = rows(server.database_url, "SELECT id FROM executions WHERE ended_at IS NOT NULL")
    return {id for (id,) in found} >= set(executions)


def list_tasks_until(server: RunningServer, executions: list[str]) -> None:
    while not ended_in(server, executions):
        with contextlib.suppress(CallFailed):
            server.call("task.list")


def disconnect(sql: psycopg.Connection[Any]) -> None:
    """End every connection of the server."""
    sql.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'plumber'")


@pytest.mark.row(50)
def test_with_no_connection_left_in_postgresql_callers_are_told_and_agents_keep_everything(
    load: Load, sql: psycopg.Connection[Any], own_postgres: OwnServer
) -> None:
    load.start()
    load.wait_until_begun()
    with contextlib.ExitStack() as hogs:
        disconnect(sql)
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                hogs.enter_context(psycopg.connect(own_postgres.url(), autocommit=True))
        disconnect(sql)
        with contextlib.suppress(psycopg.OperationalError):
            while True:
                hogs.enter_context(psycopg.connect(own_postgres.url(), autocommit=True))
        wait_until_sync(load.refused, 60, "the server to say so")
    load.prove()


@pytest.mark.row(50)
def test_with_a_database_that_only_reads_callers_are_told_and_agents_keep_everything(
    load: Load, sql: psycopg.Connection[Any]
) -> None:
    load.start()
    load.wait_until_begun()
    database = load.server.database_url.partition("?")[0].rpartition("/")[2]
    sql.execute(f"ALTER DATABASE {database} SET default_transaction_read_only = on".encode())
    disconnect(sql)
    wait_until_sync(load.refused, 60, "the server to say so")
    assert show(load.server, load.executions[0])["state"] == "running"
    sql.execute("SET default_transaction_read_only = off")
    sql.execute(f"ALTER DATABASE {database} RESET default_transaction_read_only".encode())
    disconnect(sql)
    load.prove()
