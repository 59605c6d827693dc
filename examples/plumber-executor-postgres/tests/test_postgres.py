"""The whole test of a third party's executor: the checks are inherited. POSTGRES_DSN names a database."""

import asyncio
import os

import plumber_executor_postgres
import pytest

from plumber_core.testing.conformance import ExecutorConformance, PluginConformance
from plumber_core.testing.steps import run_step

DSN = os.environ["POSTGRES_DSN"]


class TestPostgres(ExecutorConformance):
    @pytest.fixture
    def executor(self):
        return plumber_executor_postgres.Postgres()

    @pytest.fixture
    def valid_params(self):
        return {"dsn": DSN, "query": "select %s::int + 1 as more, 'ä' as letter", "values": [6]}

    @pytest.fixture
    def slow_params(self):
        return {"dsn": DSN, "query": "select pg_sleep(600)"}


class TestPlugin(PluginConformance):
    @pytest.fixture
    def plugin(self):
        return plumber_executor_postgres


def run(query, *values):
    params = {"dsn": DSN, "query": query, "values": list(values)}
    return asyncio.run(run_step(plumber_executor_postgres.Postgres(), params))


def test_rows_are_printed_and_the_first_value_is_handed_on():
    done = run("select n, %s as word from generate_series(1, 2) n", "ä")
    assert done.stdout.decode() == '{"n": 1, "word": "ä"}\n{"n": 2, "word": "ä"}\n'
    assert done.outputs == {"rows": "2", "value": "1"}


def test_what_the_database_refuses_is_its_own_sentence():
    done = run("select * from nowhere")
    assert done.exit_code == plumber_executor_postgres.REFUSED
    assert b'relation "nowhere" does not exist' in done.stderr
