"""An agent runs several commands at once, and never more than it has slots."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.api import ended, show, start, wait_for_file
from support.processes import Processes
from support.programs import RunningAgent, RunningServer, launch_agent
from support.waiting import wait_until_sync

pytestmark = pytest.mark.parametrize("started_server", ["sqlite"], indirect=True)
# Each says that it runs, and waits for the others or for leave.
MEET = 'touch "here.$PLUMBER_EXECUTION"; while [ "$(ls here.* | wc -l)" -lt 6 ]; do sleep 0.02; done'
HOLD = "echo + >> turns; while [ ! -e go ]; do sleep 0.02; done; sleep 0.1; echo - >> turns"


def test_several_executions_run_on_one_agent_at_the_same_time(
    shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    executions = [start(shared_server, {"run": MEET, "path": str(tmp_path), "timeout": "20s"}) for _ in range(6)]
    assert [ended(shared_server, execution)["state"] for execution in executions] == ["succeeded"] * 6


def test_slots_are_respected_and_what_waits_says_why(
    shared_server: RunningServer, processes: Processes, tmp_path: Path
) -> None:
    launch_agent(processes, shared_server, "narrow", None, "--slots", "2")
    try:
        executions = [start(shared_server, {"run": HOLD, "path": str(tmp_path)}, on="narrow") for _ in range(5)]
        wait_until_sync(lambda: wait_for_file(tmp_path / "turns").count("+") == 2, what="two commands to run")
        steps = [show(shared_server, execution)["steps"][0] for execution in executions]
        assert sorted(step["state"] for step in steps) == ["ready"] * 3 + ["running"] * 2
        waiting = [step["waiting"] for step in steps if step["state"] == "ready"]
        assert [reason["code"] for reason in waiting] == ["no_free_slot"] * 3
        (tmp_path / "go").touch()
        assert [ended(shared_server, execution)["state"] for execution in executions] == ["succeeded"] * 5
        assert most_at_once((tmp_path / "turns").read_text().split()) == 2
    finally:
        shared_server.call("agent.revoke", agent="narrow")


def most_at_once(turns: list[str]) -> int:
    """Return how many commands ran at once, at most."""
    running = most = 0
    for turn in turns:
        running += 1 if turn == "+" else -1
        most = max(most, running)
    return most
