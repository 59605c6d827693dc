"""Where nothing lets a WebSocket through, an agent changes to long poll by itself, and can do the same."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.api import ended, log_digest, only_attempt, raw_log, run, start, wait_for_file, wait_until_complete
from support.counting import Counting
from support.processes import Processes
from support.programs import RunningAgent, RunningServer, launch_agent
from support.proxy import NoUpgrades

# What carries messages is nothing to the database.
pytestmark = pytest.mark.parametrize("started_server", ["sqlite"], indirect=True)


@pytest.fixture
def proxy(shared_server: RunningServer) -> Iterator[NoUpgrades]:
    with NoUpgrades(int(shared_server.url.rpartition(":")[2])) as found:
        yield found


@pytest.fixture
def agent(shared_server: RunningServer, processes: Processes, proxy: NoUpgrades) -> Iterator[RunningAgent]:
    yield launch_agent(processes, shared_server, "behind", server_addr=proxy.address)
    shared_server.call("agent.revoke", agent="behind")
    shared_server.call("agent.delete", agent="behind")


def test_it_runs_a_task_reports_output_and_is_cancelled(
    shared_server: RunningServer, proxy: NoUpgrades, agent: RunningAgent, tmp_path: Path
) -> None:
    assert proxy.refused == 2
    shown = run(shared_server, "echo one; echo err >&2", "head -c 3000000 /dev/zero", "exit 3", on="behind")
    attempts = [only_attempt(shown, number) for number in range(3)]
    assert [attempt["exit_code"] for attempt in attempts] == [0, 0, 3]
    assert raw_log(shared_server, attempts[0]["id"]) == b"one\n"
    assert raw_log(shared_server, attempts[0]["id"], "stderr") == b"err\n"
    wait_until_complete(shared_server, attempts[1]["id"])
    assert log_digest(shared_server, attempts[1]["id"], "stdout")[0] == 3_000_000
    execution = start(shared_server, {"run": "echo up > up; sleep 60", "path": str(tmp_path)}, on="behind")
    wait_for_file(tmp_path / "up")
    shared_server.call("execution.cancel", execution=execution)
    assert only_attempt(ended(shared_server, execution))["signal"] == 15
    assert proxy.refused == 2


def test_it_goes_on_after_the_server_was_killed(
    shared_server: RunningServer, agent: RunningAgent, tmp_path: Path
) -> None:
    counting = Counting(tmp_path / "counting")
    execution = start(shared_server, counting.step, on="behind")
    counting.wait_for_more()
    shared_server.process.kill()
    counting.wait_for_more()
    shared_server.restart()
    counting.stop()
    attempt = only_attempt(ended(shared_server, execution))
    assert len(counting.starts()) == 1
    assert raw_log(shared_server, attempt["id"]) == counting.expected("line")
