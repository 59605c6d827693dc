"""Fixtures: one ``plumber-server`` with one ``plumber-agent`` for all tests of a module that leave them as they are."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.postgres import fresh_database
from support.programs import RunningAgent, RunningServer, launch_agent, launch_server, opened


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def shared_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server, once on SQLite and once on PostgreSQL."""
    folder = tmp_path_factory.mktemp(str(request.param))
    if request.param == "sqlite":
        with opened(folder, request) as processes:
            yield launch_server(processes, f"sqlite:///{folder / 'plumber.db'}")
        return
    postgres = request.getfixturevalue("postgres_server")
    with fresh_database(postgres) as url, opened(folder, request) as processes:
        yield launch_server(processes, url)


@pytest.fixture(scope="module")
def shared_agent(
    shared_server: RunningServer, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[RunningAgent]:
    """The agent ``one`` of that server."""
    with opened(tmp_path_factory.mktemp("agent"), request) as processes:
        yield launch_agent(processes, shared_server, "one")
