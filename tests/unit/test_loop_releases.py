"""A link and a supervisor of different releases."""

from __future__ import annotations

from pathlib import Path

from support.fake_supervisor import FakeSupervisor
from support.linked import linked
from support.scripted_server import ScriptedServer
from support.waiting import wait_until


async def test_an_older_supervisor_is_kept_while_it_has_commands_and_replaced_after_that(tmp_path: Path) -> None:
    server, older = ScriptedServer(heartbeat=0.05), FakeSupervisor(tmp_path)
    older.version = "0.0.1"
    older.put("a", "running")
    async with linked(tmp_path, server, older) as link:
        await link.ready()
        server.assign("b")
        await wait_until(lambda: "b" in older.commands)
        older.exits("a")
        await wait_until(lambda: ("forget", "a") in older.calls)
        assert link.supervisors == [older]
        older.exits("b")
        await wait_until(lambda: len(link.supervisors) == 2)
        assert ("shutdown", False) in older.calls
        server.assign("c")
        await wait_until(lambda: "c" in link.hands.commands)


async def test_one_of_the_same_release_stays(tmp_path: Path) -> None:
    server = ScriptedServer(heartbeat=0.05)
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: "a" in link.hands.commands)
        link.hands.exits("a")
        await wait_until(lambda: ("forget", "a") in link.hands.calls)
        assert len(link.supervisors) == 1
        assert ("shutdown", False) not in link.hands.calls
