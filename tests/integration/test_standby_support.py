"""The tests' primary and standby: a failover loses exactly what the standby did not get, and the address stays."""

from __future__ import annotations

import psycopg
import pytest

from support.postgres import fresh_database
from support.standby import ReplicatedServer, in_recovery


@pytest.fixture
def table(replicated_server: ReplicatedServer) -> str:
    """A database with a table of one row, as its address."""
    with psycopg.connect(replicated_server.url(), autocommit=True) as connection:
        connection.execute("CREATE TABLE t (n int)")
        connection.execute("INSERT INTO t VALUES (1)")
    return replicated_server.url()


def rows(url: str) -> list[int]:
    with psycopg.connect(url) as connection:
        return [n for (n,) in connection.execute("SELECT n FROM t ORDER BY n").fetchall()]


def test_what_the_standby_did_not_get_is_gone_after_the_failover(
    replicated_server: ReplicatedServer, table: str
) -> None:
    assert in_recovery(replicated_server.standby)
    with psycopg.connect(table, autocommit=True) as connection:
        replicated_server.stall()
        connection.execute("INSERT INTO t VALUES (2)")
        assert rows(table) == [1, 2]
        replicated_server.fail_over()
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert not in_recovery(replicated_server.standby)
    assert rows(table) == [1]
    assert replicated_server.url() == table


def test_without_a_stall_nothing_is_lost(replicated_server: ReplicatedServer, table: str) -> None:
    with psycopg.connect(table, autocommit=True) as connection:
        connection.execute("INSERT INTO t VALUES (2)")
        replicated_server.stall()
    replicated_server.fail_over()
    assert rows(table) == [1, 2]


def test_databases_are_made_and_dropped_there_and_nothing_is_left() -> None:
    with ReplicatedServer() as server:
        with fresh_database(server) as url, psycopg.connect(url) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
        folders = [server.primary.folder, server.standby.folder]
    assert [folder.exists() for folder in folders] == [False, False]
