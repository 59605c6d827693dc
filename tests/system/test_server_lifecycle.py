"""How a server comes and goes: with everybody connected, with a database that is not there, twice at once."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from support.api import run
from support.processes import PROGRAMS, Process, Processes, free_port
from support.programs import HTTP, RunningAgent, RunningServer, wait_until_online
from support.waiting import wait_until_sync

COMMAND = [PROGRAMS / "plumber-server"]
Start = Callable[..., Any]


def failure(process: Process) -> str:
    """Return the one line that a failing start prints."""
    assert process.wait(20) not in (0, None)
    [line] = process.output().strip().splitlines()
    assert "Traceback" not in line
    return line


def test_it_stops_in_time_with_sockets_polls_and_streams_open_and_all_come_back_to_the_next_one(
    database_url: str, start_server: Start, start_agent: Start
) -> None:
    server: RunningServer = start_server(database_url)
    agent: RunningAgent = start_agent(server, "one")
    with ExitStack() as opened:
        opened.enter_context(polling(server))
        client = opened.enter_context(httpx.Client(trust_env=False, timeout=20))
        headers = {"Authorization": f"Bearer {server.token}"}
        events = opened.enter_context(client.stream("GET", f"{server.url}/events", headers=headers)).iter_bytes()
        next(events)
        assert server.process.stop(10) == 0
        assert list(events) == []
    assert "Traceback" not in server.process.output()
    server.restart()
    wait_until_online(server, "one")
    assert agent.process.exit_code is None
    assert run(server, "echo again")["state"] == "succeeded"


class polling:
    """An agent's long poll that is under way while the block runs."""

    def __init__(self, server: RunningServer) -> None:
        config = server.call("agent.create", name="polling")["config"]
        self._client = httpx.Client(
            base_url=server.url, headers={"Authorization": f"Bearer {config['token']}"}, trust_env=False, timeout=40
        )
        self._answer = threading.Thread(target=self._poll)
        self._session = ""

    def __enter__(self) -> None:
        values = {"incarnation": 1, "nonce": "n", "boot_id": "b", "epoch": 1, "version": "test"}
        request = {"jsonrpc": "2.0", "id": 1, "method": "hello", "params": values}
        answer = self._client.post("/agent/v1/rpc", json=request).json()
        self._session = answer["result"]["session"]
        self._answer.start()

    def _poll(self) -> None:
        try:
            self._client.post("/agent/v1/poll", json={"session": self._session, "wait": 25})
        except httpx.TransportError:
            return

    def __exit__(self, *_: object) -> None:
        self._answer.join(20)
        self._client.close()
        assert not self._answer.is_alive()


def test_health_is_green_only_while_calls_are_served(processes: Processes, empty_sqlite_url: str) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    process = processes.start("server", COMMAND, SERVER_PORT=str(port), DATABASE_URL=empty_sqlite_url)
    answers: list[int] = []

    def healthy() -> bool:
        try:
            answers.append(HTTP.get(f"{url}/health").status_code)
        except httpx.TransportError:
            return False
        return answers[-1] == 200

    wait_until_sync(healthy, 20, "the server to be healthy")
    login = {"username": "admin", "password": "wrong"}
    assert set(answers) <= {200, 503}
    assert HTTP.post(f"{url}/api/session.login", json=login).status_code == 401
    assert process.stop() == 0
    assert not healthy()


def test_a_postgresql_that_does_not_answer_is_one_clear_line(processes: Processes) -> None:
    url = f"postgresql://plumber:hunter2@127.0.0.1:{free_port()}/plumber"
    line = failure(processes.start("server", COMMAND, SERVER_PORT="0", DATABASE_URL=url))
    assert "hunter2" not in line
    assert "onnect" in line


@pytest.mark.parametrize("started_server", ["sqlite"], indirect=True)
def test_a_second_server_on_the_same_sqlite_file_is_refused_and_the_first_goes_on(
    shared_server: RunningServer, processes: Processes
) -> None:
    second = processes.start("second", COMMAND, SERVER_PORT="0", DATABASE_URL=shared_server.database_url)
    assert "in use by another server" in failure(second)
    assert shared_server.call("system.info")["epoch"] >= 1


def test_two_servers_may_start_on_one_empty_postgresql_in_the_same_moment(
    processes: Processes, empty_postgres_url: str
) -> None:
    started = [processes.start(f"s{n}", COMMAND, SERVER_PORT="0", DATABASE_URL=empty_postgres_url) for n in range(2)]
    for process in started:
        process.wait_for_output("listening", 20)
    printed = [process.output() for process in started]
    assert sum("password of admin" in text for text in printed) == 1
    assert [process.stop() for process in started] == [0, 0]
