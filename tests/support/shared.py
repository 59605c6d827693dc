"""Fixtures: one ``plumber-server`` with one ``plumber-agent`` for all tests that leave them as they found them.

Starting a server costs more than most tests. One that a test has killed, or broken, is started again for the next.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from support.postgres import fresh_database
from support.programs import RunningAgent, RunningServer, launch_agent, launch_server, opened, wait_until_online


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def started_server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """A server, once on SQLite and once on PostgreSQL, at first without agents."""
    folder = tmp_path_factory.mktemp(str(request.param))
    if request.param == "sqlite":
        with opened(folder, request) as processes:
            yield launch_server(processes, f"sqlite:///{folder / 'plumber.db'}")
        return
    postgres = request.getfixturevalue("postgres_server")
    with fresh_database(postgres) as url, opened(folder, request) as processes:
        yield launch_server(processes, url)


@pytest.fixture(scope="session")
def started_agent(
    started_server: RunningServer, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[RunningAgent]:
    """The agent ``one`` of that server."""
    with opened(tmp_path_factory.mktemp("one"), request) as processes:
        yield launch_agent(processes, started_server, "one")


@pytest.fixture
def shared_server(started_server: RunningServer) -> RunningServer:
    """The server, alive."""
    if started_server.process.exit_code is not None:
        started_server.restart()
    return started_server


@pytest.fixture
def shared_agent(shared_server: RunningServer, started_agent: RunningAgent) -> RunningAgent:
    """The agent, alive and online."""
    if started_agent.process.exit_code is not None:
        started_agent.restart()
        wait_until_online(shared_server, started_agent.name)
    return started_agent
