"""The server dies in the middle of a step: agents and followers come back by themselves, nothing is lost or doubled."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from plumber_client import AsyncClient
from plumber_core.model.views import Event
from support.api import attempt_of, ended, only_attempt, raw_log, show, start, wait_until_printed
from support.counting import Counting
from support.programs import RunningAgent, RunningServer
from support.waiting import wait_until, wait_until_sync


@pytest.fixture
def counting(tmp_path: Path) -> Counting:
    return Counting(tmp_path / "counting")


class Follower:
    """Follows one execution; ``events`` are all that it was told."""

    def __init__(self, client: AsyncClient, execution: str, after: str) -> None:
        self._items = client.follow(execution=execution, after=after)
        self.events: list[Event] = []
        self.log_ends: list[int] = []
        self.task = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        async for item in self._items:
            if isinstance(item, Event):
                self.events.append(item)
            else:
                self.log_ends.append(item.end)

    async def heard(self, kind: str) -> list[str]:
        """Wait for a kind of event and return the ids of all that were told up to then."""
        await wait_until(lambda: any(event.kind == kind for event in self.events), 20, f"the event {kind}")
        return [event.id for event in self.events]


@asynccontextmanager
async def following(server: RunningServer, execution: str, after: str) -> AsyncIterator[Follower]:
    async with AsyncClient(server.url, server.token) as client:
        follower = Follower(client, execution, after)
        try:
            yield follower
        finally:
            follower.task.cancel()
            await asyncio.gather(follower.task, return_exceptions=True)


def wait_until_begun(server: RunningServer, execution: str) -> None:
    """Wait until the server has some of the second step's output."""
    wait_until_printed(server, attempt_of(server, execution, 1), b"line 20\n")


async def test_a_follower_goes_on_without_a_gap_or_a_repeat_and_the_step_ends_well(
    shared_server: RunningServer, shared_agent: RunningAgent, counting: Counting
) -> None:
    execution = start(shared_server, "echo before", counting.step, "echo after")
    after = show(shared_server, execution)["event"]
    async with following(shared_server, execution, after) as follower:
        await asyncio.to_thread(
            wait_until_printed, shared_server, attempt_of(shared_server, execution, 1), b"line 20\n"
        )
        told = len(follower.log_ends)
        shared_server.process.kill()
        await asyncio.to_thread(counting.wait_for_more)
        await asyncio.to_thread(shared_server.restart)
        await wait_until(lambda: len(follower.log_ends) > told, 20, "hints of a growing log after the restart")
        counting.stop()
        seen = await follower.heard("execution.succeeded")
    async with following(shared_server, execution, after) as second:
        assert await second.heard("execution.succeeded") == seen
    assert len(set(seen)) == len(seen)
    assert_whole(shared_server, execution, counting)


def assert_whole(server: RunningServer, execution: str, counting: Counting) -> None:
    shown = ended(server, execution)
    assert [step["state"] for step in shown["steps"]] == ["succeeded"] * 3
    attempt = only_attempt(shown, 1)
    assert (attempt["exit_code"], len(counting.starts())) == (0, 1)
    assert raw_log(server, attempt["id"]) == counting.expected("line")
    assert raw_log(server, attempt["id"], "stderr") == counting.expected("error")
    assert [raw_log(server, only_attempt(shown, n)["id"]) for n in (0, 2)] == [b"before\n", b"after\n"]


def test_what_ended_while_the_server_was_away_is_recorded_once(
    shared_server: RunningServer, shared_agent: RunningAgent, counting: Counting
) -> None:
    execution = start(shared_server, "echo before", counting.step, "echo after")
    wait_until_begun(shared_server, execution)
    shared_server.process.kill()
    counting.stop()
    counting.wait_for_end()
    shared_server.restart()
    assert_whole(shared_server, execution, counting)


def test_a_paused_execution_stays_paused_and_goes_on_where_it_was(
    shared_server: RunningServer, shared_agent: RunningAgent, counting: Counting
) -> None:
    execution = start(shared_server, "echo before", counting.step, "echo after")
    wait_until_begun(shared_server, execution)
    shared_server.call("execution.pause", execution=execution, reason="the night")
    shared_server.process.kill()
    counting.stop()
    counting.wait_for_end()
    shared_server.restart()

    def recorded() -> bool:
        return bool(show(shared_server, execution)["steps"][1]["state"] == "succeeded")

    wait_until_sync(recorded, 20, "the end of what ran")
    shared_server.process.kill()
    shared_server.restart()
    shown = show(shared_server, execution)
    assert (shown["state"], shown["waiting"]["reason"], shown["steps"][2]["state"]) == (
        "paused",
        "the night",
        "blocked",
    )
    shared_server.call("execution.continue", execution=execution)
    assert_whole(shared_server, execution, counting)


@pytest.mark.parametrize("started_server", ["sqlite"], indirect=True)
def test_link_and_server_may_die_in_the_same_moment(
    shared_server: RunningServer, shared_agent: RunningAgent, counting: Counting
) -> None:
    execution = start(shared_server, "echo before", counting.step, "echo after")
    wait_until_begun(shared_server, execution)
    shared_server.process.kill()
    shared_agent.process.kill()
    counting.wait_for_more()
    shared_agent.restart()
    shared_server.restart()
    counting.stop()
    assert_whole(shared_server, execution, counting)
