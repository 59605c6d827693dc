"""No server is there for longer than silence is borne: agents work on, and nobody is called lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.api import attempt_of, ended, only_attempt, raw_log, show, start, wait_until_complete
from support.programs import RunningAgent, RunningServer
from support.waiting import wait_until_sync

STEPS = 50
# An agent tries again within about half of the time for which the server was away.
HASTY = {"PLUMBER_LEASE": "3s", "PLUMBER_LOST_AFTER": "10s", "PLUMBER_SWEEP_INTERVAL": "1s"}
LONG = "echo begun; sleep 13; echo $PLUMBER_ATTEMPT >> ended; echo done"


@pytest.mark.row(37)
@pytest.mark.quick
def test_steps_end_and_none_is_lost_while_all_servers_are_away_for_longer_than_silence_is_borne(
    database_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    tmp_path: Path,
) -> None:
    server = start_server(database_url, **HASTY)
    start_agent(server, "one", None, "--slots", str(STEPS))
    executions = [start(server, {"run": LONG, "path": str(tmp_path)}) for _ in range(STEPS)]
    attempts = {attempt_of(server, execution) for execution in executions}
    server.process.kill()
    wait_until_sync(lambda: lines(tmp_path / "ended") == attempts, 60, "all steps to end")
    server.restart()
    for execution in executions:
        attempt = only_attempt(ended(server, execution, 60))
        assert attempt["state"] == "succeeded", show(server, execution)
        wait_until_complete(server, attempt["id"])
        assert raw_log(server, attempt["id"]) == b"begun\ndone\n"
    assert len((tmp_path / "ended").read_text().splitlines()) == STEPS


def lines(path: Path) -> set[str]:
    return set(path.read_text().split()) if path.exists() else set()
