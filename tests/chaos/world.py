"""Everything that the killer may hurt: real programs, a real PostgreSQL with its standby, and all lines between."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

from chaos.plan import AGENTS, SERVERS
from support.lab.proxy import FaultProxy
from support.postgres import fresh_database
from support.processes import Processes
from support.programs import RunningAgent, RunningServer, launch_agent, launch_server
from support.standby import ReplicatedServer
from support.witness import Witness

HASTY = {"PLUMBER_LEASE": "5s", "PLUMBER_LOST_AFTER": "90s", "PLUMBER_SWEEP_INTERVAL": "1s"}
# What was acknowledged is on the standby too: a failover forgets nothing.
KEEPS_COMMITS = {
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "synchronous_standby_names": "*",
}


HANDS = 12


class World:
    """Two servers, six agents, and a proxy on each line between them."""

    def __init__(
        self,
        folder: Path,
        database: ReplicatedServer,
        url: str,
        hands: ThreadPoolExecutor,
        stack: contextlib.ExitStack,
    ) -> None:
        self.database, self.url = database, url
        self.processes = Processes(folder)
        self.hands = hands
        """Threads in which things are healed beside each other."""
        stack.callback(self.processes.close)
        self.witness = Witness(folder / "witness", lines=3)
        self.servers = [launch_server(self.processes, url, name=f"server-{n}", **HASTY) for n in range(SERVERS)]
        self.lines = [[stack.enter_context(FaultProxy(port(s))) for s in self.servers] for _ in range(AGENTS)]
        self.agents = [self._agent(number) for number in range(AGENTS)]
        self.down: set[int] = set()
        """Servers that do not run now."""

    def _agent(self, number: int) -> RunningAgent:
        addresses = [line.address for line in self.lines[number]]
        order = addresses if number % 2 else addresses[::-1]
        return launch_agent(self.processes, self.servers[0], f"a{number}", server_addr=",".join(order))

    def supervisor(self, agent: int) -> int | None:
        """Return the process id of an agent's supervisor, if it has one now."""
        with contextlib.suppress(OSError, ValueError):
            pid = int((self.agents[agent].state_dir / "supervisor.lock").read_text())
            if str(self.processes.folder) in Path(f"/proc/{pid}/cmdline").read_text():
                return pid
        return None

    def started(self, server: RunningServer) -> bool:
        """Start a server again; say whether it works: without a database none does."""
        try:
            server.restart()
        except AssertionError:
            server.process.kill()
            return False
        return True

    def alive(self) -> list[RunningServer]:
        """Return the servers that run."""
        return [server for number, server in enumerate(self.servers) if number not in self.down]

    def state_dirs(self) -> list[Path]:
        """Return where the agents keep their journals."""
        return [agent.state_dir for agent in self.agents]


def port(server: RunningServer) -> int:
    """Return a server's port."""
    return httpx.URL(server.url).port or 0


def send(pid: int | None, number: signal.Signals) -> None:
    """Signal a process of this world, if it is still there."""
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[World]:
    """Yield a world that leaves nothing behind."""
    with contextlib.ExitStack() as stack:
        # They stay until the end: a PostgreSQL that one of them has started ends with it.
        hands = stack.enter_context(ThreadPoolExecutor(HANDS))
        database = stack.enter_context(ReplicatedServer(settings=KEEPS_COMMITS))
        url = stack.enter_context(fresh_database(database))
        yield World(folder, database, url, hands, stack)
