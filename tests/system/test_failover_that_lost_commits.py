"""PostgreSQL fails over to a standby that had not got the last commits: nothing runs twice, all is told again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path

import httpx
import psycopg
import pytest

from support.api import attempt_of, ended, raw_log, start
from support.postgres import fresh_database
from support.programs import CallFailed, RunningAgent, RunningServer
from support.standby import ReplicatedServer
from support.waiting import wait_until_sync

LOST, OPEN = 12, 3


@pytest.mark.row(43)
def test_what_ran_in_lost_commits_is_told_again_and_never_runs_twice(
    replicated_server: ReplicatedServer,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    tmp_path: Path,
) -> None:
    with fresh_database(replicated_server) as url:
        server = start_server(url)
        agents = [start_agent(server, name) for name in ("one", "two")]
        mark = f'echo "$PLUMBER_EXECUTION $PLUMBER_STEP_INDEX" >> {tmp_path}/witness'
        wait = f"while [ ! -e {tmp_path}/go ]; do sleep 0.05; done"
        opened = [start(server, f"{mark}; {wait}", f"{mark}; echo middle", mark, on="one") for _ in range(OPEN)]
        for execution in opened:
            attempt_of(server, execution)
        replicated_server.stall()
        (tmp_path / "go").touch()
        for execution in opened:
            assert ended(server, execution, 60)["state"] == "succeeded"
        lost = [start(server, mark, mark, on=agents[number % 2].name) for number in range(LOST)]
        for execution in lost:
            assert ended(server, execution, 60)["state"] == "succeeded"
        replicated_server.fail_over()

        def forgotten() -> bool:
            try:
                server.call("execution.show", execution=lost[-1])
            except CallFailed as error:
                return error.code == "not_found"
            except (httpx.HTTPError, ValueError):
                return False
            raise AssertionError("nothing was lost")

        wait_until_sync(forgotten, 60, "the server to use the new primary")
        for execution in opened:
            shown = ended(server, execution, 60)
            assert [step["state"] for step in shown["steps"]] == ["succeeded"] * 3, shown
            assert [len(step["attempts"]) for step in shown["steps"]] == [1, 1, 1]
            assert raw_log(server, shown["steps"][1]["attempts"][0]["id"]) == b"middle\n"
        wait_until_sync(lambda: strays(url) == dict.fromkeys(lost, 2), 60, "every lost step to be a stray")
        after = start(server, mark, on="one")
        assert ended(server, after, 60)["state"] == "succeeded"
        told = Counter((tmp_path / "witness").read_text().splitlines())
        steps = [(execution, 3) for execution in opened] + [(execution, 2) for execution in lost] + [(after, 1)]
        assert told == Counter(f"{execution} {step}" for execution, number in steps for step in range(number))


def strays(url: str) -> dict[str, int]:
    """Return how many ended steps of each execution have nowhere to go."""
    query = "SELECT execution_id, count(*) FROM strays WHERE outcome IS NOT NULL GROUP BY execution_id"
    with psycopg.connect(url) as connection:
        return dict(connection.execute(query).fetchall())
