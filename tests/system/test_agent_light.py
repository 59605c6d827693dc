"""An agent weighs little: it shares its server with the work it is there for."""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from support.api import run
from support.memory import MB, resident, supervisor_of
from support.processes import Processes, those_of
from support.programs import RunningServer, launch_agent
from support.waiting import wait_until_sync

pytestmark = pytest.mark.parametrize("started_server", ["sqlite"], indirect=True)
LINK, SUPERVISOR = 32 * MB, 14 * MB
HEAVY = ("pydantic_core", "sqlalchemy", "litestar", "httptools", "uvloop", "psycopg", "ruamel", "_sqlite3")


def loaded(pid: int) -> str:
    """Return the names of all files that a process has mapped: the compiled half of a library gives it away."""
    return Path(f"/proc/{pid}/maps").read_text()


def test_an_idle_agent_is_small_and_has_loaded_nothing_heavy(
    shared_server: RunningServer, processes: Processes
) -> None:
    agent = launch_agent(processes, shared_server, "light")
    link = agent.process.pid
    assert run(shared_server, "true", on="light")["state"] == "succeeded"
    wait_until_sync(lambda: len(psutil.Process(link).children()) <= 1, what="the executor host to have answered")
    supervisor = supervisor_of(those_of(agent.state_dir)).pid
    sizes = {"link": resident(link) / MB, "supervisor": resident(supervisor) / MB}
    assert sizes["link"] <= LINK / MB, sizes
    assert sizes["supervisor"] <= SUPERVISOR / MB, sizes
    for pid in (link, supervisor):
        assert [name for name in HEAVY if name in loaded(pid)] == []
    assert "_hashlib" not in loaded(supervisor)
    assert "_ssl" not in loaded(supervisor)
    shared_server.call("agent.revoke", agent="light")
