"""Plumber as it is installed: ``plumber-server`` and two ``plumber-agent`` programs, driven over HTTP with a token."""

from __future__ import annotations

import asyncio
import json
import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil

from bench.raw_http import RawHttp
from bench.stamps import Stamps
from support.processes import PROGRAMS, Process, Processes, free_port
from support.waiting import wait_until

HOSTS = ("one", "two")
WATCH = 0.1
"""Seconds between two looks at the counters while something long runs."""


class CallFailed(Exception):
    """The server answered a call with an error."""


@dataclass
class AgentProgram:
    """A running ``plumber-agent``."""

    name: str
    command: list[str | Path]
    process: Process
    state: Path

    def supervisor(self) -> psutil.Process:
        """Return its other half, which has a session of its own.

        Raises: LookupError.
        """
        for process in psutil.process_iter(["cmdline"]):
            line = process.info["cmdline"] or []
            if (
                process.pid != self.process.pid
                and str(self.state) in line
                and any("supervisor" in part for part in line)
            ):
                return process
        raise LookupError(f"no supervisor of {self.state}")


@dataclass
class PlumberSystem:
    """Implements ``latency.System``."""

    name: str
    port: int
    server: Process
    processes: Processes
    http: RawHttp
    database_url: str
    password: str = field(repr=False, default="")
    agents: dict[str, AgentProgram] = field(default_factory=dict)

    async def dispatch(self, key: str) -> None:
        await self._run("one", key)

    async def ten(self, key: str, agents: int) -> None:
        await self._run("ten" if agents == 1 else "ten-over-two", key)

    async def _run(self, task: str, key: str) -> None:
        await self.call("task.run", task=task, parameters={"key": key})

    async def call(self, operation: str, **arguments: Any) -> Any:
        """Call one operation.

        Raises: CallFailed.
        """
        status, body = await self.http.request(f"/api/{operation}", json.dumps(arguments).encode())
        if status != 200:
            raise CallFailed(f"{operation}: {status} {body.decode()}")
        return json.loads(body)

    async def counter(self, name: str) -> float:
        """Return one of the server's counters."""
        _, body = await self.http.request("/metrics", method="GET")
        found = [line.split()[1] for line in body.decode().splitlines() if line.startswith(f"{name} ")]
        return float(found[0]) if found else 0.0

    async def count_to(self, name: str, wanted: float, timeout: float = 120.0) -> None:
        """Wait until a counter has reached ``wanted``.

        Raises: TimeoutError.
        """
        async with asyncio.timeout(timeout):
            while await self.counter(name) < wanted:
                await asyncio.sleep(WATCH)

    async def add_agent(self, name: str) -> tuple[str, str]:
        """Make an agent known; return its id and its credential."""
        created = await self.call("agent.create", name=name)
        return created["config"]["id"], created["config"]["token"]

    async def start_agent(self, name: str) -> AgentProgram:
        """Make an agent known and start it; wait until it is connected."""
        id, token = await self.add_agent(name)
        home = self.processes.folder / self.name / name
        (home / "work").mkdir(parents=True)
        config = home / "agent.json"
        config.touch(0o600)
        config.write_text(json.dumps({"id": id, "token": token, "server_addr": f"http://127.0.0.1:{self.port}"}))
        places: list[str | Path] = ["--config", config, "--workdir", home / "work", "--state-dir", home / "state"]
        command = [PROGRAMS / "plumber-agent", *places]
        connected = await self.counter("plumber_agents_connected") + 1
        process = self.processes.start(f"{self.name}-{name}", command)
        await self.count_to("plumber_agents_connected", connected, 30)
        self.agents[name] = AgentProgram(name, command, process, home / "state")
        return self.agents[name]


async def start(
    name: str, processes: Processes, database_url: str, stamps: Stamps, hosts: tuple[str, ...] = HOSTS
) -> PlumberSystem:
    """Start a server with agents on an empty database and teach it the tasks to measure."""
    port, password = free_port(), secrets.token_hex(12)
    settings = {"DATABASE_URL": database_url, "SERVER_PORT": str(port), "PLUMBER_ADMIN_PASSWORD": password}
    server = processes.start(f"{name}-server", [PROGRAMS / "plumber-server"], **settings)
    await wait_until(lambda: _healthy(port, server), 30, "plumber-server to be healthy")
    http = await RawHttp.connect(port)
    system = PlumberSystem(name, port, server, processes, http, database_url, password)
    login = await system.call("session.login", username="admin", password=password)
    system.http = await RawHttp.connect(port, authorization=f"Bearer {login['token']}")
    token = (await system.call("token.create", name="bench"))["token"]
    system.http = await RawHttp.connect(port, authorization=f"Bearer {token}")
    for host in hosts:
        await system.start_agent(host)
    for task in tasks(stamps):
        await system.call("task.apply", source=json.dumps(task), format="json")
    return system


async def _healthy(port: int, server: Process) -> bool:
    if server.exit_code is not None:
        raise RuntimeError(f"plumber-server ended:\n{server.output()}")
    try:
        http = await RawHttp.connect(port)
    except OSError:
        return False
    status, _ = await http.request("/health", method="GET")
    await http.close()
    return status == 200


def tasks(stamps: Stamps) -> list[dict[str, Any]]:
    """Return what is run: the key comes in as a parameter, so as an environment variable."""
    key = {"key": {"type": "string", "required": True}}
    stamp = {"name": "stamp", "run": stamps.command('"$key"'), "on": HOSTS[0]}
    same = [{"name": f"step {n}", "run": "true", "on": HOSTS[0]} for n in range(10)]
    turns = [{"name": f"step {n}", "run": "true", "on": HOSTS[n % 2]} for n in range(10)]
    work = [{"name": f"step {n}", "run": "true"} for n in range(10)]
    loud = {"name": "print", "run": LOUD, "on": HOSTS[0]}
    return [
        {"name": "one", "params": key, "steps": [stamp]},
        {"name": "ten", "params": key, "steps": [*same, stamp]},
        {"name": "ten-over-two", "params": key, "steps": [*turns, stamp]},
        *({"name": f"work-{host}", "on": host, "steps": work} for host in HOSTS),
        {"name": "loud", "steps": [loud]},
    ]


LOUD_BYTES = 100_000_000
LOUD = f"yes {'x' * 99} | head -c {LOUD_BYTES}"
