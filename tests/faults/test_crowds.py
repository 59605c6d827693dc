"""Many at once: hundreds of agents with thousands of ready steps, a thousand followers of which one does not read."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from plumber_core.protocol.messages import Assignment
from plumber_core.protocol.peer import Disconnected
from support.api import run
from support.programs import RunningAgent, RunningServer
from support.swift_agent import SwiftAgent
from support.waiting import wait_until

AGENTS, EXECUTIONS = 200, 25
FOLLOWERS, RUNS = 1000, 5
MEGABYTE = 1024 * 1024


@pytest.mark.row(89)
async def test_two_hundred_agents_that_connect_at_once_share_thousands_of_ready_steps(
    postgres_url: str, start_server: Callable[..., RunningServer]
) -> None:
    server = await asyncio.to_thread(start_server, postgres_url)
    tokens = await asyncio.to_thread(prepared, server)
    done: Counter[tuple[str, str]] = Counter()

    def note(name: str, given: Assignment) -> None:
        done[(name, given.spec.execution)] += 1

    async def connect(name: str, token: str) -> SwiftAgent:
        while True:
            # As real ones do: again, until the server has time for this one.
            with contextlib.suppress(Disconnected):
                return await SwiftAgent.connect(server.url, name, token, note)

    agents = await asyncio.gather(*(connect(name, token) for name, token in tokens.items()))
    serving = [asyncio.create_task(agent.serve()) for agent in agents]
    try:
        await wait_until(lambda: len(done) == AGENTS * EXECUTIONS, 300, "every step to be carried out")
        await wait_until(lambda: server.call("system.info")["executions_running"] == 0, 60, "all executions to end")
    finally:
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
        for agent in agents:
            await agent.close()
    assert set(done.values()) == {1}
    assert set(Counter(name for name, _ in done).values()) == {EXECUTIONS}


def prepared(server: RunningServer) -> dict[str, str]:
    """Create the agents, give all of them steps, and return their tokens by name."""
    names = [f"a{number}" for number in range(AGENTS)]
    tokens = {name: str(server.call("agent.create", name=name)["config"]["token"]) for name in names}
    task = {"name": "crowd", "on": "all", "steps": [{"name": "s", "run": "true"}]}
    for _ in range(EXECUTIONS):
        server.call("execution.start", source=json.dumps(task), format="json")
    return tokens


class Follower:
    """One raw reader of /events; ``heard`` counts the ends of executions."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer, self.heard = reader, writer, 0

    @classmethod
    async def connect(cls, server: RunningServer) -> Follower:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        lines = ("GET /events HTTP/1.1", "Host: plumber", f"Authorization: Bearer {server.token}", "", "")
        writer.write("\r\n".join(lines).encode())
        await reader.readuntil(b"event: hello")
        return cls(reader, writer)

    async def listen(self) -> None:
        while line := await self.reader.readline():
            self.heard += line.startswith(b"event: execution.succeeded")


@pytest.mark.row(90)
async def test_of_a_thousand_followers_one_that_does_not_read_costs_the_server_no_memory(
    start_server: Callable[..., RunningServer], start_agent: Callable[..., RunningAgent], sqlite_url: str
) -> None:
    server = await asyncio.to_thread(start_server, sqlite_url)
    await asyncio.to_thread(start_agent, server, "one")
    followers = [await Follower.connect(server) for _ in range(FOLLOWERS)]
    stalled, *others = followers
    listening = [asyncio.create_task(follower.listen()) for follower in others]
    await one_round(server, others, 1)
    before = memory(server)
    for number in range(2, RUNS + 1):
        await one_round(server, others, number)
    grown = memory(server) - before
    for task in listening:
        task.cancel()
    await asyncio.gather(*listening, return_exceptions=True)
    for follower in followers:
        follower.writer.transport.abort()
    assert stalled.heard == 0
    # Whatever the others have read long ago is kept for nobody.
    assert grown < 16 * MEGABYTE, f"{grown / MEGABYTE:.1f} MB more"


async def one_round(server: RunningServer, others: list[Follower], number: int) -> None:
    await asyncio.to_thread(run, server, *["true"] * 3, timeout=240)
    await wait_until(lambda: all(follower.heard >= number for follower in others), 240, "all others to hear of it")


def memory(server: RunningServer) -> int:
    """Return the server's resident memory in bytes."""
    found: Any = psutil.Process(server.process.pid).memory_info()
    return int(found.rss)
