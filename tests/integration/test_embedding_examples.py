"""The embedding examples, run for real: scripts, host applications, tests, programs beside each other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from support.processes import Processes, free_port
from support.programs import RunningServer, launch_server, wait_until_online, write_agent_json
from support.waiting import wait_until_sync

EXAMPLES = Path(__file__).parents[2] / "examples"


def test_the_script_runs_three_steps_in_order(processes: Processes) -> None:
    script = processes.start("script", [sys.executable, EXAMPLES / "embed_script.py"])
    assert script.wait(30) == 0
    assert script.output().split() == ["succeeded", "dump=succeeded", "check=succeeded", "tell=succeeded"]


def test_a_step_function_of_ones_own_runs_with_its_settings(processes: Processes) -> None:
    script = processes.start("script", [sys.executable, EXAMPLES / "embed_own_steps" / "main.py"])
    assert script.wait(60) == 0, script.output()
    assert script.output().split("\n")[0] == "succeeded 24.90 CNY"


def test_the_example_suite_passes(processes: Processes) -> None:
    options = ["-q", "-p", "no:cacheprovider", "-o", "asyncio_mode=auto", "-c", "/dev/null", "--rootdir", EXAMPLES]
    suite = processes.start("suite", [sys.executable, "-m", "pytest", *options, EXAMPLES / "test_embedded.py"])
    assert suite.wait(60) == 0, suite.output()
    assert "2 passed" in suite.output()


def test_a_subscriber_goes_on_after_a_restart_where_it_stood(processes: Processes) -> None:
    heard = []
    for number, names in enumerate((["a", "b"], ["--deaf", "c"], ["d"])):
        script = processes.start(f"subscriber-{number}", [sys.executable, EXAMPLES / "embed_subscriber.py", *names])
        assert script.wait(30) == 0, script.output()
        heard.append(script.output().split())
    # The last event before the end may come once more: at least once is what is promised.
    assert heard[0] == ["a", "b"] and heard[1] == [] and heard[2][-2:] == ["c", "d"]


@pytest.mark.parametrize("example", ["embed_starlette", "embed_litestar"])
def test_a_host_application_serves_plumber_beside_its_own_routes(example: str, processes: Processes) -> None:
    with hosted(example, processes) as client:
        begun = client.post("/clean").json()
        assert begun["state"] == "succeeded"
        assert client.post("/plumber/api/execution.show", json={"execution": begun["id"]}).status_code == 401
        assert client.get("/plumber/openapi.json").json()["openapi"].startswith("3.1")


def test_people_of_a_host_application_use_plumber_with_the_host_s_own_session(processes: Processes) -> None:
    page = {"x-plumber-request": "1"}
    with hosted("embed_fastapi", processes) as client:
        assert client.post("/clean").status_code == 401
        assert client.post("/plumber/api/session.whoami", json={}, headers=page).status_code == 401
        assert client.post("/login", json={"name": "ada", "password": "wrong"}).status_code == 401
        assert client.post("/login", json={"name": "ada", "password": "lovelace-1815"}).status_code == 200
        begun = client.post("/clean").json()
        assert (begun["state"], begun["by"]) == ("succeeded", "ada")
        assert client.post("/plumber/api/session.whoami", json={}, headers=page).json()["name"] == "ada"
        seen = client.post("/plumber/api/execution.show", json={"execution": begun["id"]}, headers=page).json()
        assert seen["requested_by"] == "ada"
        # What another site has the browser send carries the cookie, but not the page's header.
        assert client.post("/plumber/api/execution.show", json={"execution": begun["id"]}).status_code == 401
        assert client.post("/plumber/api/task.list", headers={"authorization": "Bearer shop_no"}).status_code == 401


def test_a_flask_application_has_a_server_do_the_work(processes: Processes, server_with_agent: RunningServer) -> None:
    server, port = server_with_agent, free_port()
    server.call(
        "task.apply", source="{name: deploy-shop, params: {version: {}}, on: one, steps: [{name: s, run: ':'}]}"
    )
    token = server.call("token.create", name="shop")["token"]
    processes.start(
        "flask",
        [sys.executable, "-m", "flask", "--app", EXAMPLES / "embed_flask.py", "run", "--port", str(port)],
        PLUMBER_URL=server.url,
        PLUMBER_TOKEN=token,
    )
    with client_of(port) as client:
        wait_until_sync(lambda: _status(client, "/deploy/none") == 404, 30, "the host to answer")
        begun = client.post("/deploy/v1").json()
        wait_until_sync(lambda: client.get(f"/deploy/{begun['id']}").json() == {"state": "succeeded"}, 30)


def test_a_second_program_dispatches_what_a_server_s_agents_do(
    processes: Processes, server_with_agent: RunningServer, postgres_url: str
) -> None:
    server_with_agent.call("task.apply", source="{name: nightly, on: one, steps: [{name: s, run: echo done}]}")
    program = [sys.executable, EXAMPLES / "embed_dispatcher.py", "nightly"]
    beside = processes.start("dispatcher", program, DATABASE_URL=postgres_url)
    assert beside.wait(60) == 0, beside.output()
    execution, state = beside.output().split()
    assert state == "succeeded"
    shown = server_with_agent.call("execution.show", execution=execution)
    assert (shown["requested_by"], shown["reason"]) == ("system", "dispatched by another program")


def test_on_sqlite_a_second_program_is_refused_with_the_reason(processes: Processes, sqlite_url: str) -> None:
    launch_server(processes, sqlite_url)
    program = [sys.executable, EXAMPLES / "embed_dispatcher.py", "nightly"]
    beside = processes.start("dispatcher", program, DATABASE_URL=sqlite_url)
    assert beside.wait(60) == 2
    assert "in use by another server; several servers need PostgreSQL" in beside.output()


@pytest.fixture
def server_with_agent(processes: Processes, postgres_url: str) -> RunningServer:
    """A server on PostgreSQL with the agent ``one``."""
    server = launch_server(processes, postgres_url)
    config = processes.folder / "agent.json"
    write_agent_json(config, server.call("agent.create", name="one")["config"], server.url)
    command = [
        sys.executable,
        "-m",
        "plumber_agent.main",
        "--config",
        config,
        "--state-dir",
        processes.folder / "state",
    ]
    processes.start("one", command)
    wait_until_online(server, "one")
    return server


@contextmanager
def hosted(example: str, processes: Processes) -> Iterator[httpx.Client]:
    """Run a host application by its example's name; yield a client of it."""
    port = free_port()
    options = ["--app-dir", EXAMPLES, "--port", str(port), "--log-level", "warning"]
    host = processes.start(
        example,
        [sys.executable, "-m", "uvicorn", *options, f"{example}:app"],
        DATABASE_URL=f"sqlite:///{processes.folder}/ops.db",
    )
    with client_of(port) as client:
        wait_until_sync(lambda: _status(client, "/plumber/health") == 200, 30, f"{example} to be healthy")
        yield client
    assert "Warning" not in host.output()


def client_of(port: int) -> httpx.Client:
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=30)


def _status(client: httpx.Client, path: str) -> int:
    try:
        return client.get(path).status_code
    except httpx.TransportError:
        return 0
