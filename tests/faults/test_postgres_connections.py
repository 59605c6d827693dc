"""Connections to PostgreSQL die all the time, in the middle of a commit too: nothing is lost, nothing happens twice."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import psycopg
import pytest

from support.history import rows
from support.loads import Load
from support.lossy_postgres import LossyForwarder
from support.postgres import OwnServer, fresh_database
from support.waiting import wait_until_sync

EVERY = 10
"""One of so many answers to a commit is lost."""


@pytest.fixture
def own_postgres() -> Iterator[OwnServer]:
    """A PostgreSQL of this test alone, which keeps what it has acknowledged."""
    server = OwnServer(settings={"synchronous_commit": "on"})
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.mark.row(45)
def test_every_connection_is_cut_each_second_and_agents_go_on(
    own_postgres: OwnServer, start_load: Callable[..., Load]
) -> None:
    with fresh_database(own_postgres) as url:
        load = start_load(url, "one", "two")
        load.start(10, steps=6, seconds=0.5)
        cut = cut_until(url, load.executions)
        history = load.prove(240)
        load.server.process.kill()
    assert cut() > 20
    assert [moves for moves in history.moves.values() if "unreachable" in moves] == []


def cut_until(url: str, executions: list[str]) -> Callable[[], int]:
    """Cut every connection of the server each second until executions have ended; return how to ask for the number."""
    ended, cuts = threading.Event(), [0]
    query = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'plumber'"

    def work() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not ended.wait(1.0):
                cuts[0] += len(connection.execute(query).fetchall())
                if not open_among(url, executions):
                    return

    thread = threading.Thread(target=work)
    thread.start()

    def number() -> int:
        ended.set()
        thread.join()
        return cuts[0]

    return number


def open_among(url: str, executions: list[str]) -> set[str]:
    """Return those that have not ended."""
    return set(executions) - {id for (id,) in rows(url, "SELECT id FROM executions WHERE ended_at IS NOT NULL")}


@pytest.mark.row(46)
def test_connections_die_as_commits_are_answered_and_everything_happens_once(
    own_postgres: OwnServer, start_load: Callable[..., Load]
) -> None:
    with LossyForwarder(lambda: own_postgres.socket, EVERY) as way, fresh_database(own_postgres) as url:
        load = start_load(way.through(url), "one", "two")
        load.start(8, steps=6, seconds=0.1)
        way.losing = True
        wait_until_sync(lambda: way.lost >= 10 or not open_among(url, load.executions), 120, "answers to be lost")
        wait_until_sync(lambda: not open_among(url, load.executions), 240, "everything to end all the same")
        way.losing = False
        history = load.prove()
        load.server.process.kill()
    assert way.lost >= 10
    assert {moves.count("succeeded") for moves in history.moves.values()} == {1}
