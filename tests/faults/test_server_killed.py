"""The server dies on either side of each commit that a step's life is made of."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from plumber_client import AsyncClient
from plumber_core.crash import CRASHED
from plumber_core.model.views import Event
from support.lab.proxy import FaultProxy, Faults, Frame
from support.loads import Load
from support.programs import RunningAgent, RunningServer
from support.waiting import wait_until, wait_until_sync
from support.witness import Witness


class Crashing(Load):
    """A server that dies at a crash point, and an agent with one slot: steps wait to be claimed."""

    def arm(self, point: str) -> None:
        """Start the server anew so that it dies at ``point``."""
        greetings = self._greetings()
        self.server.process.kill()
        self.server.restart(PLUMBER_CRASH_AT=point)
        if self.agents[0].process.exit_code is None:
            wait_until_sync(lambda: self._greetings() > greetings, 60, "the agent to be back")

    def _greetings(self) -> int:
        return self.agents[0].process.output().count("Connected as")

    def dies(self) -> None:
        """Wait until the server has died there, and start it again."""
        assert self.server.process.wait(60) == CRASHED
        self.server.restart()


@pytest.fixture
def crashing(
    database_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    tmp_path: Path,
) -> Crashing:
    server = start_server(database_url)
    agent = start_agent(server, "one", None, "--slots", "1")
    return Crashing(server, [agent], Witness(tmp_path / "witness"))


@pytest.mark.row(32, 33)
@pytest.mark.parametrize("side", ["before", "after"])
def test_the_server_dies_beside_the_commit_of_a_hand_out_and_every_step_runs_once(
    side: str, crashing: Crashing
) -> None:
    [agent] = crashing.agents
    agent.process.kill()
    crashing.start(3, steps=3, seconds=0.1)
    crashing.arm(f"server.claim.{side}_commit")
    agent.restart()
    crashing.dies()
    crashing.prove()


@pytest.mark.row(35)
@pytest.mark.parametrize("side", ["before", "after"])
def test_the_server_dies_beside_the_commit_of_a_report_which_is_recorded_once(side: str, crashing: Crashing) -> None:
    crashing.arm(f"server.report.{side}_commit")
    crashing.start(3, steps=3, seconds=0.1)
    crashing.dies()
    crashing.prove()


@pytest.mark.row(32, 33)
@pytest.mark.parametrize("side", ["before", "after"])
def test_the_server_dies_beside_the_commit_of_a_new_execution_which_exists_whole_or_not_at_all(
    side: str, crashing: Crashing
) -> None:
    crashing.arm(f"server.submit.{side}_commit")
    with pytest.raises(httpx.TransportError):
        crashing.start(1, steps=3, seconds=0.1)
    crashing.dies()
    crashing.executions = [item["id"] for item in crashing.server.call("execution.list")["items"]]
    assert len(crashing.executions) == (side == "after")
    crashing.steps = 3 * len(crashing.executions)
    crashing.start(1, steps=3)
    crashing.prove()


@pytest.mark.row(36)
async def test_a_follower_hears_the_end_of_a_step_once_although_the_server_died_before_telling(
    crashing: Crashing,
) -> None:
    crashing.arm("server.report.after_commit")
    [execution] = crashing.start(1, steps=2, seconds=1)
    heard: list[Event] = []
    async with AsyncClient(crashing.server.url, crashing.server.token) as client:
        following = asyncio.create_task(follow(client, execution, heard))
        await asyncio.to_thread(crashing.dies)
        await wait_until(lambda: any(event.kind == "execution.succeeded" for event in heard), 60, "the last event")
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
    kinds = [event.kind for event in heard]
    assert kinds.count("step.succeeded") == 2
    assert len({event.id for event in heard}) == len(heard)
    await asyncio.to_thread(crashing.prove)


async def follow(client: AsyncClient, execution: str, heard: list[Event]) -> None:
    async for item in client.follow(execution=execution):
        if isinstance(item, Event):
            heard.append(item)


class Asked:
    """Notes that an agent asks for leave to start, and lets the question go no further."""

    def __init__(self) -> None:
        self.asked = False

    def frame(self, frame: Frame) -> list[bytes]:
        self.asked = self.asked or (frame.to_server and frame.method == "start")
        return [] if self.asked else [frame.raw]


@pytest.fixture
def asking(
    sqlite_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    tmp_path: Path,
) -> Iterator[tuple[Load, FaultProxy, Asked]]:
    server, asked = start_server(sqlite_url), Asked()
    with FaultProxy(int(server.url.rpartition(":")[2]), Faults(frame=asked.frame)) as proxy:
        agent = start_agent(server, "one", server_addr=proxy.address)
        yield Load(server, [agent], Witness(tmp_path / "witness")), proxy, asked


@pytest.mark.row(34)
def test_the_server_dies_as_the_agent_asks_for_leave_to_start_a_step_that_came_late(
    asking: tuple[Load, FaultProxy, Asked],
) -> None:
    load, proxy, asked = asking
    # So long on the way that the permit is too old when it arrives.
    proxy.faults.delay = 3
    load.start(1, steps=2)
    wait_until_sync(lambda: asked.asked, 60, "the agent to ask")
    load.server.process.kill()
    proxy.faults.delay, proxy.faults.frame = 0, Faults().frame
    proxy.cut()
    load.server.restart()
    load.prove()
