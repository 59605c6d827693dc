"""Work for fault tests: executions whose steps leave witnesses, and the proof that every promise was kept."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.api import ended, start, wait_until_complete
from support.history import History, read_history
from support.invariants import violations
from support.programs import CallFailed, RunningAgent, RunningServer
from support.waiting import wait_until_sync
from support.witness import Witness


class Load:
    """Executions of ``steps`` steps each on every agent; ``executions`` are those started up to now."""

    def __init__(self, server: RunningServer, agents: list[RunningAgent], witness: Witness) -> None:
        self.server, self.agents, self.witness = server, agents, witness
        self.executions: list[str] = []
        self.steps = 0

    def start(self, count: int = 5, *, steps: int = 4, seconds: float = 0.2, **keys: Any) -> list[str]:
        """Start executions and return their ids.

        Args:
            count: how many.
            steps: of each; a step has these ``keys``.
            seconds: how long a step takes.
        """
        listed = [self.witness.step(seconds=seconds, **keys) for _ in range(steps)]
        hosts = " or ".join(f"name={agent.name}" for agent in self.agents)
        started = [start(self.server, *listed, on=hosts) for _ in range(count)]
        self.executions += started
        self.steps += count * steps * len(self.agents)
        return started

    def wait_until_begun(self, more: int = 1) -> None:
        """Wait until so many more steps have begun."""
        wanted = len(self.witness.runs()) + more
        wait_until_sync(lambda: len(self.witness.runs()) >= wanted, 60, f"{wanted} steps to begin")

    def refused(self) -> bool:
        """Say whether the server now refuses an execution because it cannot write; one that it takes is of the load."""
        try:
            self.start(1, steps=1, seconds=0)
        except CallFailed as error:
            if error.code != "unavailable":
                raise
            return True
        return False

    def history(self) -> History:
        """Gather what database, journals and witnesses say."""
        return read_history(self.server.database_url, self.witness, [agent.state_dir for agent in self.agents])

    def prove(self, timeout: float = 90) -> History:
        """Wait for the end of everything, then check every promise and that each step has run once, with success."""
        for execution in self.executions:
            shown = ended(self.server, execution, timeout)
            assert {step["state"] for step in shown["steps"]} == {"succeeded"}, shown
            for step in shown["steps"]:
                wait_until_complete(self.server, step["attempts"][-1]["id"])
        history = self.history()
        assert violations(history) == []
        assert len(history.runs) == self.steps
        return history


@pytest.fixture
def start_load(
    start_server: Callable[..., RunningServer], start_agent: Callable[..., RunningAgent], tmp_path: Path
) -> Callable[..., Load]:
    """A function that starts a server on a database with agents: ``start_load(database_url, "one", "two", **env)``."""

    def make(database_url: str, *names: str, **env: str) -> Load:
        server = start_server(database_url, **env)
        return Load(server, [start_agent(server, name) for name in names], Witness(tmp_path / "witness"))

    return make
