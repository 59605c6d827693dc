"""A fleet after a bad day: its database was restored from a copy, and a disk was cloned. All of it is real."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.api import ended, start
from support.processes import PROGRAMS, Process, Processes
from support.programs import RunningAgent, RunningServer, launch_agent, launch_server, opened
from support.waiting import wait_until_sync


@dataclass
class Troubles:
    """``copied`` has a living clone; ``away`` has not come back since the restore; ``back`` has, and told of more."""

    server: RunningServer
    copied: RunningAgent
    clone: Process
    away: RunningAgent
    back: RunningAgent


@pytest.fixture(scope="session")
def troubled(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Troubles]:
    """The fleet, on SQLite, for tests that leave it as they found it."""
    with opened(tmp_path_factory.mktemp("troubled"), request) as processes:
        yield bad_day(processes)


def bad_day(processes: Processes) -> Troubles:
    """Start a server with three agents and let all of it go wrong."""
    server = launch_server(processes, f"sqlite:///{processes.folder / 'plumber.db'}")
    copied, away, back = (
        launch_agent(processes, server, name, {"role": name.partition("-")[0]}) for name in ("web-1", "db-1", "cache-1")
    )
    _restore_what_was_before(server, processes.folder / "backup", away, back)
    return Troubles(server, copied, _clone(processes, server, copied), away, back)


def _restore_what_was_before(server: RunningServer, copy: Path, away: RunningAgent, back: RunningAgent) -> None:
    """Lose the last two steps of an agent from the database, and let another one be away since."""
    _plumber(server, "backup", str(copy))
    steps = [{"name": "dump", "run": "echo dumped"}, {"name": "prune", "run": "echo 'nothing to remove' >&2; exit 4"}]
    ended(server, start(server, *steps, on=back.name))
    away.process.stop()
    server.process.stop()
    _plumber(server, "restore", str(copy), "--force")
    server.restart()
    wait_until_sync(lambda: _shown(server, back)["strays"] == 2, 60, "the lost steps to be told")
    assert _shown(server, away)["awaited"]


def _clone(processes: Processes, server: RunningServer, agent: RunningAgent) -> Process:
    """Start a copy of an agent from a copy of its disk, while the agent works on."""
    home = shutil.copytree(agent.config.parent, processes.folder / "clone", ignore=_not_sockets)
    places = ["--config", home / "agent.json", "--workdir", home / "work", "--state-dir", home / "state"]
    clone = processes.start("clone", [PROGRAMS / "plumber-agent", *places])
    wait_until_sync(lambda: _shown(server, agent)["conflict"], 60, "the copy to be noticed")
    return clone


def _not_sockets(folder: str, names: list[str]) -> list[str]:
    return [name for name in names if (Path(folder) / name).is_socket()]


def _shown(server: RunningServer, agent: RunningAgent) -> dict[str, object]:
    found: dict[str, object] = server.call("agent.show", agent=agent.name)
    return found


def _plumber(server: RunningServer, *arguments: str) -> None:
    environment = {**os.environ, "DATABASE_URL": server.database_url}
    done = subprocess.run([PROGRAMS / "plumber", *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
