"""The fixtures for real programs: they start, restart and leave nothing behind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from support.processes import Processes, kill_those_of, those_of
from support.programs import CallFailed, RunningAgent, RunningServer, wait_until_online
from support.waiting import Overdue, wait_until, wait_until_sync


def test_a_server_serves_and_restarts_with_its_database(
    database_url: str, start_server: Callable[..., RunningServer]
) -> None:
    server = start_server(database_url)
    server.call("agent.create", name="one")
    assert server.process.stop() == 0
    server.restart()
    assert [agent["name"] for agent in server.call("agent.list")["items"]] == ["one"]
    with pytest.raises(CallFailed) as failed:
        server.call("agent.show", agent="two")
    assert failed.value.code == "not_found"


def test_an_agent_comes_online_and_restarts_with_its_identity(
    sqlite_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    processes: Processes,
) -> None:
    server = start_server(sqlite_url)
    agent = start_agent(server, "web-1", {"role": "web"})
    agent.process.kill()
    agent.restart()
    wait_until_online(server, "web-1")
    source = "{name: t, steps: [{name: s, on: role=web, run: pwd}]}"
    execution = server.call("execution.start", source=source)
    wait_until_sync(lambda: server.call("execution.show", execution=execution["id"])["state"] == "succeeded")
    processes.close()
    assert those_of(processes.folder) == []


def test_processes_of_a_folder_are_found_by_their_folder_or_arguments_and_killed(processes: Processes) -> None:
    folder = processes.folder / "state"
    folder.mkdir()
    code = "import sys; print('up', flush=True); sys.stdin = None; import signal; signal.pause()"
    named = processes.start("named", [sys.executable, "-c", code, str(folder)])
    named.wait_for_output("up")
    inside = subprocess.Popen(["/bin/sh", "-c", "read line; true"], cwd=folder, stdin=subprocess.PIPE)
    assert {process.pid for process in those_of(folder)} == {named.pid, inside.pid}
    assert those_of(processes.folder / "stat") == []
    kill_those_of(folder)
    inside.communicate()
    assert (named.wait(), inside.returncode) == (-9, -9)


async def test_waiting_returns_the_answer_or_names_what_did_not_happen(tmp_path: Path) -> None:
    answers = iter(["", "", "yes"])
    assert await wait_until(lambda: next(answers)) == "yes"
    with pytest.raises(Overdue, match=r"waited 0\.01 s for the file"):
        await wait_until((tmp_path / "never").exists, 0.01, "the file")
