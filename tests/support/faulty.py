"""Fixtures for faults of agents: one server that soon loses patience, and agents whose programs die or stand still."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from plumber_core.crash import CRASHED
from plumber_core.runner.clock import boottime
from plumber_core.runner.journal import read_contents
from plumber_core.runner.ledger import Ledger
from plumber_core.runner.wire import JOURNAL_NAME
from support.api import ended, only_attempt, raw_log, show, start
from support.processes import PROGRAMS, Processes
from support.programs import RunningAgent, RunningServer, launch_agent, launch_server, opened
from support.waiting import wait_until_sync

LEASE, LOST_AFTER = 3.0, 12.0
HASTY = {"PLUMBER_LEASE": f"{LEASE:g}s", "PLUMBER_LOST_AFTER": f"{LOST_AFTER:g}s", "PLUMBER_SWEEP_INTERVAL": "1s"}
WITNESS = "echo $PLUMBER_ATTEMPT >> witness; echo done"
_names = itertools.count(1)


@pytest.fixture(scope="session")
def hasty_server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    """A server on SQLite that calls agents silent after 3 seconds and their steps lost after 12."""
    folder = tmp_path_factory.mktemp("hasty")
    with opened(folder, request) as processes:
        yield launch_server(processes, f"sqlite:///{folder / 'plumber.db'}", **HASTY)


@dataclass
class Patient:
    """An agent that things are done to, with the server that watches."""

    server: RunningServer
    agent: RunningAgent
    processes: Processes

    @property
    def folder(self) -> Path:
        """Where its steps run."""
        return self.agent.workdir

    def begin(self, *options: str, under: tuple[str, ...] = (), **env: str) -> None:
        """Start the link with other options or another environment, or ``under`` another program."""
        agent = self.agent
        places = ["--config", agent.config, "--workdir", agent.workdir, "--state-dir", agent.state_dir]
        command = [*under, str(PROGRAMS / "plumber-agent"), *map(str, places), *options]
        agent.process = self.processes.start(agent.name, command, **env)

    def online(self) -> None:
        """Wait until the link that was started last is connected."""
        process = self.agent.process
        number = f"Process {process.pid};"
        wait_until_sync(lambda: "Connected" in process.output().partition(number)[2], 20, "the agent to be connected")

    def anew(self, *options: str, **env: str) -> None:
        """Stop link and supervisor and start both in another environment."""
        self.agent.process.stop()
        self.end_supervisor()
        self.begin(*options, **env)
        self.online()

    def relink(self, *options: str, **env: str) -> None:
        """Stop the link and start another one; the supervisor stays."""
        self.agent.process.stop()
        self.begin(*options, **env)
        self.online()

    def crashed(self, timeout: float = 20.0) -> None:
        """Wait until the link has died where it was told to."""
        assert self.agent.process.wait(timeout) == CRASHED

    def supervisor(self) -> int:
        """Return the supervisor's process; one that has just taken the lock may not have written its number yet."""
        lock = self.agent.state_dir / "supervisor.lock"
        return int(wait_until_sync(lock.read_text, 10, "the supervisor to say who it is"))

    def end_supervisor(self) -> None:
        """Kill the supervisor."""
        pid = self.supervisor()
        if psutil.pid_exists(pid):
            os.kill(pid, signal.SIGKILL)
        wait_until_sync(lambda: not psutil.pid_exists(pid), 10, "the supervisor to be gone")

    def start(self, *steps: dict[str, Any] | str, **task: Any) -> str:
        """Start a task here whose steps run in ``folder``."""
        return start(self.server, *steps, on=self.agent.name, path=str(self.folder), **task)

    def ended(self, execution: str, timeout: float = 30.0) -> dict[str, Any]:
        """Wait for the end of an execution and return its only step."""
        [step] = ended(self.server, execution, timeout)["steps"]
        found: dict[str, Any] = step
        return found

    def state_of(self, execution: str) -> str:
        """Return the state of an execution's only step."""
        return str(show(self.server, execution)["steps"][0]["state"])

    def wait_for_state(self, execution: str, state: str, timeout: float = 30.0) -> None:
        """Wait until an execution's only step is in a state."""
        wait_until_sync(lambda: self.state_of(execution) == state, timeout, f"{execution} to be {state}")

    def witnesses(self) -> list[str]:
        """Return the attempts that have run the witness."""
        file = self.folder / "witness"
        return file.read_text().split() if file.exists() else []

    def log(self, execution: str) -> bytes:
        """Return the standard output of an execution's only attempt."""
        return raw_log(self.server, only_attempt(show(self.server, execution))["id"])

    def untold(self) -> list[str]:
        """Return the attempts that the agent's journal has and that the server has not settled."""
        ledger = Ledger()
        for record in read_contents((self.agent.state_dir / JOURNAL_NAME).read_bytes()).records:
            ledger.apply(record)
        return sorted(ledger.entries)


@pytest.fixture
def patient(hasty_server: RunningServer, processes: Processes) -> Patient:
    """An agent of its own for this test."""
    return Patient(
        hasty_server, launch_agent(processes, hasty_server, f"agent-{os.getpid()}-{next(_names)}"), processes
    )


def needs(*programs: str, root: bool = False) -> pytest.MarkDecorator:
    """Skip a test, loudly, where programs or rights are missing."""
    missing = [program for program in programs if shutil.which(program) is None]
    reason = f"needs {', '.join(missing)}" if missing else "needs root"
    return pytest.mark.skipif(bool(missing) or (root and os.geteuid() != 0), reason=reason)


def stopped(pid: int) -> bool:
    """Say whether a process stands still."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_STOPPED
    except psutil.NoSuchProcess:
        return False


def wait_for(seconds: float) -> None:
    """Wait until so much time has passed on the clock that agents go by."""
    late = boottime() + seconds
    wait_until_sync(lambda: boottime() >= late, seconds + 30, f"{seconds:g} s to pass")


def checked(command: list[str]) -> None:
    """Run a command that must succeed."""
    subprocess.run(command, check=True, capture_output=True)


def identity(agent: RunningAgent) -> dict[str, Any]:
    """Return the content of an agent's agent.json."""
    found: dict[str, Any] = json.loads(agent.config.read_text())
    return found
