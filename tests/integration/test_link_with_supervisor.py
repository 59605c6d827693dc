"""The link over a real supervisor: real commands, a link that is replaced, a supervisor that is killed."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import hashlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from plumber_core.protocol.frames import STDERR, STDOUT, decode_frames
from plumber_core.protocol.messages import Cancel, NeverRan, Outcome, Renew, Report
from plumber_core.runner.loop import AgentLoop
from plumber_core.runner.session_chain import SessionChain
from plumber_core.runner.supervision import SupervisorClient
from support.scripted_server import ScriptedServer, step
from support.waiting import wait_until


class Link:
    """A running loop over a real supervisor."""

    def __init__(self, folder: Path, server: ScriptedServer, **options: Any) -> None:
        self.server, self.folder = server, folder
        self.client: SupervisorClient | None = None
        self._attach = functools.partial(SupervisorClient.attach, folder, idle_exit=0.2, keep=0)
        self.loop = AgentLoop(self.attach, server.connect, SessionChain(folder), workdir=folder, **options)
        self.task = asyncio.create_task(self.loop.run())

    async def attach(self) -> SupervisorClient:
        self.client = await self._attach()
        return self.client

    async def ready(self, sessions: int = 1) -> None:
        await wait_until(lambda: sum(m.beat == 1 for m in self.server.of(Renew)) >= sessions)

    async def outcome(self, attempt: str) -> Outcome:
        """Wait for an attempt's report."""
        reports = await wait_until(lambda: [m for m in self.server.of(Report) if m.attempt == attempt])
        outcome: Outcome = reports[0].outcome
        return outcome

    def output(self, attempt: str, stream: int = STDOUT) -> bytes:
        """Return what the server stored of a stream."""
        frames = decode_frames(bytes(self.server.logs.get(attempt, b"")))
        return b"".join(frame.data for frame in frames if frame.stream == stream)


@contextlib.asynccontextmanager
async def link_to(folder: Path, server: ScriptedServer, *, kill: bool = True, **options: Any) -> AsyncIterator[Link]:
    link = Link(folder, server, **options)
    try:
        yield link
    finally:
        link.loop.stop(kill=kill)
        await link.task


@pytest.fixture
def server() -> ScriptedServer:
    return ScriptedServer(heartbeat=0.2)


async def test_a_command_runs_and_everything_of_it_arrives(tmp_path: Path, server: ScriptedServer) -> None:
    async with link_to(tmp_path / "state", server) as link:
        await link.ready()
        run = 'echo out; echo err >&2; echo "key=value" > "$PLUMBER_OUTPUT"; echo "$PLUMBER_STEP in $PWD"; exit 3'
        server.assign("a", step(run, path=str(tmp_path)))
        outcome = await link.outcome("a")
        expected = f"out\none in {tmp_path}\n".encode()
        assert (outcome.state, outcome.exit_code, outcome.outputs) == ("failed", 3, {"key": "value"})
        await wait_until(lambda: link.output("a") == expected)
        assert link.output("a", STDERR) == b"err\n"
        assert outcome.sha256_stdout == hashlib.sha256(expected).hexdigest()
        spool = tmp_path / "state" / "spool"
        await wait_until(lambda: not list(spool.iterdir()))


async def test_ten_steps_in_a_row_are_ten_reports_and_nothing_else(tmp_path: Path, server: ScriptedServer) -> None:
    server.heartbeat = 60.0
    async with link_to(tmp_path / "state", server) as link:
        await link.ready()
        before = len(server.seen)
        for number in range(10):
            server.assign(f"a{number}", step("true"))
            assert (await link.outcome(f"a{number}")).state == "succeeded"
        assert [type(message) for message in server.seen[before:]] == [Report] * 10


async def test_a_missing_folder_and_a_missing_program_are_reported(tmp_path: Path, server: ScriptedServer) -> None:
    async with link_to(tmp_path / "state", server) as link:
        await link.ready()
        server.assign("a", step(path="/no/such/folder"))
        assert ((await link.outcome("a")).state, (await link.outcome("a")).error) == ("failed", "path_missing")
        server.assign("b", step("echo \0"))
        assert (await link.outcome("b")).error == "cannot_start"
        assert server.of(NeverRan) == []


async def test_cancel_ends_a_command(tmp_path: Path, server: ScriptedServer) -> None:
    async with link_to(tmp_path / "state", server) as link:
        await link.ready()
        server.assign("a", step("echo up; sleep 600"))
        await wait_until(lambda: link.output("a"))
        server.push(Cancel("a"))
        assert (await link.outcome("a")).state == "cancelled"


async def test_a_new_link_takes_over_a_running_command(tmp_path: Path, server: ScriptedServer) -> None:
    """Upgrade: the same process goes on, not a byte is missing, the exit code is right."""
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    async with link_to(tmp_path / "state", server, kill=False) as link:
        await link.ready()
        server.assign("a", step(f"echo $$; echo before; cat {gate}; exit 7"))
        await wait_until(lambda: b"before" in link.output("a"))
        assert link.client is not None
        supervisor, process = link.client.pid, int(link.output("a").split()[0])
    os.kill(process, 0)
    async with link_to(tmp_path / "state", server) as link:
        await link.ready(2)
        assert link.client is not None
        assert link.client.pid == supervisor
        assert [held.attempt for held in server.of(Renew)[-1].have] == ["a"]
        await asyncio.to_thread(gate.write_text, "after\n")
        outcome = await link.outcome("a")
        expected = f"{process}\nbefore\nafter\n".encode()
        assert (outcome.exit_code, outcome.bytes_stdout) == (7, len(expected))
        assert outcome.sha256_stdout == hashlib.sha256(expected).hexdigest()
        await wait_until(lambda: link.output("a") == expected)


async def test_killed_supervisor_is_replaced_and_what_it_ran_is_unknown(tmp_path: Path, server: ScriptedServer) -> None:
    async with link_to(tmp_path / "state", server) as link:
        await link.ready()
        server.assign("a", step("echo up; sleep 600"))
        await wait_until(lambda: link.output("a"))
        assert link.client is not None
        os.kill(link.client.pid, signal.SIGKILL)
        outcome = await link.outcome("a")
        assert (outcome.state, outcome.error) == ("unknown", "supervisor_died")
        server.assign("b", step("echo again"))
        assert (await link.outcome("b")).state == "succeeded"


async def test_a_large_log_arrives_whole_and_in_order(tmp_path: Path, server: ScriptedServer) -> None:
    size = 40_000_000
    async with link_to(tmp_path / "state", server) as link:
        await link.ready()
        server.assign("a", step(f"yes 0123456789abcde | head -c {size}"))
        outcome = await link.outcome("a")
        assert outcome.bytes_stdout == size
        await wait_until(lambda: len(server.logs["a"]) == outcome.log_end)
        assert hashlib.sha256(link.output("a")).hexdigest() == outcome.sha256_stdout
        assert server.of(NeverRan) == []


async def test_an_executor_runs_in_the_executor_host(tmp_path: Path, server: ScriptedServer) -> None:
    import dataclasses

    async with link_to(tmp_path / "state", server) as link:
        await link.ready()
        spec = dataclasses.replace(step(), uses="no-such-executor", params={})
        server.assign("a", spec)
        outcome = await link.outcome("a")
        assert (outcome.state, outcome.exit_code) == ("failed", 127)
        await wait_until(lambda: b"no-such-executor" in link.output("a", STDERR))
