"""Fixtures: ``plumber-server`` and ``plumber-agent`` as real processes, and the API as a client sees it."""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from pathlib import Path
from typing import Any

import httpx
import pytest

from support.processes import PROGRAMS, Process, Processes, free_port
from support.waiting import wait_until_sync

PASSWORD = "correct horse battery"
# One for all: making a client costs more than a call. Without kept connections: servers here come and go.
# Without cookies: they know no ports, so a session at one server would be a session at the next one.
HTTP = httpx.Client(
    cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
    trust_env=False,
    verify=False,
    timeout=30,
    limits=httpx.Limits(max_keepalive_connections=0),
)
atexit.register(HTTP.close)
_STARTED = pytest.StashKey[list[Processes]]()


class CallFailed(AssertionError):
    """The server answered a call with an error; ``code`` is Plumber's own."""

    def __init__(self, error: dict[str, Any]) -> None:
        self.error = error
        self.code = (error.get("data") or {}).get("code")
        super().__init__(json.dumps(error, ensure_ascii=False))


@dataclass
class RunningServer:
    """A ``plumber-server`` with what its clients need. ``restart`` keeps port and database."""

    url: str
    database_url: str
    start: Callable[..., Process]
    process: Process
    token: str = ""
    session: str = ""
    """A browser's, once one has entered."""

    def call(self, method: str, **params: Any) -> Any:
        """Call one operation as the first administrator and return its result.

        Raises: CallFailed.
        """
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
        headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
        answer = HTTP.post(f"{self.url}/rpc", json=request, headers=headers).json()
        if "error" in answer:
            raise CallFailed(answer["error"])
        return answer["result"]

    def log_in(self) -> None:
        self.token = self.call("session.login", username="admin", password=PASSWORD)["token"]

    def restart(self, **env: str) -> None:
        """Start again after ``process`` was stopped or killed, this time with ``env`` too."""
        self.process = self.start(**env)
        _wait_until_healthy(self)


@dataclass
class RunningAgent:
    """A ``plumber-agent`` with its places on disk. ``restart`` keeps its identity and state."""

    id: str
    name: str
    config: Path
    workdir: Path
    state_dir: Path
    start: Callable[..., Process]
    process: Process

    def restart(self, **env: str) -> None:
        """Start again after ``process`` was stopped or killed, this time with ``env`` too."""
        self.process = self.start(**env)


def _wait_until_healthy(server: RunningServer) -> None:
    def healthy() -> bool:
        if server.process.exit_code is not None:
            raise AssertionError(f"plumber-server ended:\n{server.process.output()}")
        try:
            return HTTP.get(f"{server.url}/health", timeout=5).status_code == 200
        except httpx.TransportError:
            return False

    wait_until_sync(healthy, 120, "plumber-server to be healthy")


def launch_server(
    processes: Processes, database_url: str, *, name: str = "server", programs: Path = PROGRAMS, **env: str
) -> RunningServer:
    """Start a server on a free port, wait until it is healthy, and log in; ``programs`` is where it is installed."""
    port = free_port()
    settings = {"DATABASE_URL": database_url, "SERVER_PORT": str(port), "PLUMBER_ADMIN_PASSWORD": PASSWORD}

    def start(**more: str) -> Process:
        return processes.start(name, [programs / "plumber-server"], **{**settings, **env, **more})

    server = RunningServer(f"http://127.0.0.1:{port}", database_url, start, start())
    _wait_until_healthy(server)
    server.log_in()
    return server


def launch_agent(
    processes: Processes,
    server: RunningServer,
    name: str,
    labels: dict[str, str] | None = None,
    *options: str,
    server_addr: str = "",
    inside: Sequence[str] = (),
    **env: str,
) -> RunningAgent:
    """Create an agent, start it, and wait until it is online.

    Args:
        server_addr: another way to the server.
        inside: what stands before its command line, so that it runs on another host.
    """
    created = server.call("agent.create", name=name, labels=labels or {})
    home = processes.folder / name
    config, workdir, state_dir = home / "agent.json", home / "work", home / "state"
    workdir.mkdir(parents=True)
    write_agent_json(config, created["config"], server_addr or server.url)
    places: list[str | Path] = ["--config", config, "--workdir", workdir, "--state-dir", state_dir]

    def start(**more: str) -> Process:
        return processes.start(name, [*inside, PROGRAMS / "plumber-agent", *places, *options], **env, **more)

    id = str(json.loads(config.read_text())["id"])
    agent = RunningAgent(id, name, config, workdir, state_dir, start, start())
    wait_until_online(server, name)
    return agent


@pytest.fixture
def processes(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Processes]:
    """Programs that end with the test; their output is shown when it fails."""
    with opened(tmp_path, request) as found:
        yield found


@contextlib.contextmanager
def opened(folder: Path, request: pytest.FixtureRequest) -> Iterator[Processes]:
    """Yield programs of a folder that end with the fixture's test or module."""
    found = Processes(folder)
    request.node.stash.setdefault(_STARTED, []).append(found)
    try:
        yield found
    finally:
        found.close()


@pytest.fixture
def start_server(processes: Processes) -> Callable[..., RunningServer]:
    """A function that starts a server on a database and logs in: ``start_server(database_url, **env)``."""
    return functools.partial(launch_server, processes)


@pytest.fixture
def start_agent(processes: Processes) -> Callable[..., RunningAgent]:
    """A function that creates an agent and starts it: ``start_agent(server, name, labels)``; waits until online."""
    return functools.partial(launch_agent, processes)


def write_agent_json(path: Path, config: dict[str, Any], server_addr: str) -> None:
    """Write agent.json as an administrator would, for a server at ``server_addr``."""
    path.touch(0o600)
    path.write_text(json.dumps({**config, "server_addr": server_addr}))


def wait_until_online(server: RunningServer, name: str, timeout: float = 60.0) -> None:
    """Wait until the server has heard from the agent."""
    wait_until_sync(
        lambda: server.call("agent.show", agent=name)["presence"] == "online", timeout, f"{name} to be online"
    )


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    """Show what the programs of a failed test have printed."""
    report = yield
    if report.failed:
        for node in item.listchain():
            for found in node.stash.get(_STARTED, []):
                report.sections.extend((f"output of {name}", text) for name, text in found.logs())
    return report
