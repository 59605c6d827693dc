"""Two servers on one PostgreSQL: agents connect to either, tasks are started on either, each step runs once."""

from __future__ import annotations

import asyncio
import functools
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from plumber_client import AsyncClient
from plumber_core.model.views import ExecutionDetail
from plumber_core.protocol.messages import Assignment
from support.api import ended, metrics, only_attempt, start, wait_for_file
from support.postgres import Server, fresh_database
from support.processes import Processes
from support.programs import RunningAgent, RunningServer, launch_agent, launch_server, opened
from support.swift_agent import swift_agents
from support.waiting import wait_until

EXECUTIONS, AGENTS, REAL = 200, 20, 2
WITNESS = 'echo "$PLUMBER_EXECUTION $PLUMBER_STEP_INDEX" >> witness; echo real'


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Processes]:
    with opened(tmp_path_factory.mktemp("two"), request) as found:
        yield found


@pytest.fixture(scope="module")
def servers(postgres_server: Server, programs: Processes) -> Iterator[list[RunningServer]]:
    with fresh_database(postgres_server) as url:
        yield [launch_server(programs, url, name=f"server-{number}") for number in (1, 2)]
        programs.close()


def planned(number: int) -> list[str]:
    """Return the names of the three agents that an execution uses: on both servers, real ones among them."""
    return [f"a{(number * step + step) % AGENTS}" for step in (1, 3, 7)]


def source(number: int) -> str:
    steps = [{"name": f"s{n}", "on": agent, "run": WITNESS} for n, agent in enumerate(planned(number))]
    return json.dumps({"name": f"t{number}", "steps": steps})


async def run_all(clients: list[AsyncClient]) -> list[ExecutionDetail]:
    """Start every execution, ten at a time and on both servers, and return them once all have ended."""
    several = asyncio.Semaphore(10)

    async def run(number: int) -> str:
        async with several:
            begun = await clients[number % 2].executions.start(source=source(number), format="json")
            return begun.id

    ids = await asyncio.gather(*(run(number) for number in range(EXECUTIONS)))

    async def all_ended() -> bool:
        return (await clients[0].system.info()).executions_running == 0

    await wait_until(all_ended, 60, "all executions to end")
    return [await clients[number % 2].executions.show(execution=id) for number, id in enumerate(ids)]


async def test_every_step_of_200_executions_runs_once_and_in_order(
    servers: list[RunningServer], programs: Processes
) -> None:
    real = [launch_agent(programs, servers[number % 2], f"a{number}") for number in range(REAL)]
    created = {f"a{n}": servers[0].call("agent.create", name=f"a{n}")["config"] for n in range(REAL, AGENTS)}
    witness: Counter[tuple[str, int]] = Counter()

    def done(name: str, given: Assignment) -> None:
        witness[(given.spec.execution, given.spec.index)] += 1

    async with (
        swift_agents(created, [server.url for server in servers], done),
        AsyncClient(servers[0].url, servers[0].token) as first,
        AsyncClient(servers[1].url, servers[1].token) as second,
    ):
        executions = await run_all([first, second])
    for agent in real:
        witness.update(witnessed(agent))
    assert witness == Counter({(found.id, index): 1 for found in executions for index in range(3)})
    for number, found in enumerate(executions):
        assert_in_order(found, planned(number))


def witnessed(agent: RunningAgent) -> Iterator[tuple[str, int]]:
    """Yield what a real agent's commands have written down."""
    for line in (agent.workdir / "witness").read_text().splitlines():
        execution, index = line.split()
        yield execution, int(index)


def assert_in_order(found: ExecutionDetail, agents: list[str]) -> None:
    assert [step.host_name for step in found.steps] == agents
    assert [step.state for step in found.steps] == ["succeeded"] * 3
    assert [len(step.attempts) for step in found.steps] == [1, 1, 1]
    moments = [moment for step in found.steps for moment in (step.started_at, step.ended_at)]
    known = [moment for moment in moments if moment is not None]
    assert moments == sorted(known)


async def test_what_one_server_starts_reaches_an_agent_of_the_other_by_a_wake_up_not_by_the_sweep(
    servers: list[RunningServer],
) -> None:
    config = servers[0].call("agent.create", name="far")["config"]
    async with (
        swift_agents({"far": config}, [servers[1].url], lambda name, given: None),
        AsyncClient(servers[0].url, servers[0].token) as client,
    ):
        given = await ten_between_sweeps(servers[1], client)
    assert given == Counter(notify=10)


async def ten_between_sweeps(server: RunningServer, client: AsyncClient) -> Counter[str]:
    """Run ten steps while a server does not sweep and return how they were handed out.

    A sweep may rightly hand out what was committed a moment before its wake-up arrives: such rounds count for nothing.
    """
    for _ in range(5):
        await wait_until(functools.partial(swept_since, server, handed_out(server)), 20, "a sweep")
        before = handed_out(server)
        for _ in range(10):
            await run_far(client)
        given = handed_out(server) - before
        if not given["swept"] and not given["sweep"]:
            return given
    pytest.fail(f"ten steps never fit between two sweeps: {given}")


async def run_far(client: AsyncClient) -> None:
    task: dict[str, Any] = {"name": "far", "steps": [{"name": "s", "on": "far", "run": "true"}]}
    begun = await client.executions.start(source=json.dumps(task), format="json")

    async def ended() -> bool:
        return (await client.executions.show(execution=begun.id)).ended_at is not None

    await wait_until(ended, 20, "an execution on the other server's agent to end")


async def swept_since(server: RunningServer, before: Counter[str]) -> bool:
    return handed_out(server)["swept"] > before["swept"]


def handed_out(server: RunningServer) -> Counter[str]:
    """Return how many steps a server has handed out by each way, and how often it ``swept``."""
    told = metrics(server)
    ways = {way: told.get(f"plumber_assigned_by_{way}_total", 0.0) for way in ("push", "notify", "sweep")}
    return Counter({way: int(count) for way, count in {**ways, "swept": told.get("plumber_sweeps_total", 0)}.items()})


def test_a_cancel_on_one_server_ends_what_runs_on_the_others_agent_and_a_second_one_kills_it(
    servers: list[RunningServer], programs: Processes, tmp_path: Path
) -> None:
    launch_agent(programs, servers[1], "stubborn")
    run = "trap 'echo asked > asked' TERM; echo begun > begun; while :; do sleep 0.05 || :; done"
    execution = start(servers[0], {"run": run, "path": str(tmp_path), "grace": "10m"}, on="stubborn")
    wait_for_file(tmp_path / "begun")
    servers[0].call("execution.cancel", execution=execution)
    wait_for_file(tmp_path / "asked")
    servers[0].call("execution.cancel", execution=execution)
    shown = ended(servers[0], execution)
    assert (shown["state"], only_attempt(shown)["signal"]) == ("cancelled", 9)


def test_what_one_server_has_saved_is_known_to_the_other_at_once(
    servers: list[RunningServer], programs: Processes
) -> None:
    first, second = servers
    task = "{name: shared, on: fresh, PARAMS steps: [{name: s, run: pwd}]}"
    first.call("agent.create", name="fresh")
    first.call("task.apply", source=task.replace("PARAMS", ""))
    second.call("task.run", task="shared")
    first.call("task.apply", source=task.replace("PARAMS", "params: {version: {type: string}},"))
    assert second.call("task.plan", task="shared")["revision"] == 2
    assert second.call("task.run", task="shared", parameters={"version": "v2"})["revision"] == 2
    first.call("agent.create", name="later")
    assert second.call("execution.start", source=task.replace("PARAMS", "").replace("fresh", "later"))["id"]
