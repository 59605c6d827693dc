"""What people do meanwhile: edit a task, cancel as a step ends; and an agent that comes back after a month."""

from __future__ import annotations

import asyncio
import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import Conflict
from plumber_core.model.states import TERMINAL_STEP_STATES
from plumber_core.model.task import Step
from plumber_core.protocol.messages import Assignment, Cancel
from support.api import attempt_of, ended, only_attempt, raw_log, show, wait_for_file
from support.embedded import only_step
from support.embedded import start as start_embedded
from support.history import rows
from support.lab.proxy import FaultProxy
from support.loads import Load
from support.programs import RunningAgent, RunningServer
from support.scripted_agent import ScriptedAgent
from support.waiting import wait_until_sync

RACES = 150
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))


@pytest.mark.row(86)
@pytest.mark.quick
def test_a_run_that_waits_uses_the_revision_that_it_was_started_with(
    shared_server: RunningServer, shared_agent: RunningAgent
) -> None:
    shared_agent.process.kill()
    task = {"name": "edited", "on": "one", "steps": [{"name": "s", "run": "echo first"}]}
    shared_server.call("task.apply", source=json.dumps(task), format="json")
    execution = shared_server.call("task.run", task="edited")["id"]
    task["steps"] = [{"name": "s", "run": "echo second"}]
    shared_server.call("task.apply", source=json.dumps(task), format="json")
    shared_agent.restart()
    shown = ended(shared_server, execution)
    assert (shown["revision"], raw_log(shared_server, only_attempt(shown)["id"])) == (1, b"first\n")
    again = ended(shared_server, shared_server.call("task.run", task="edited")["id"])
    assert raw_log(shared_server, only_attempt(again)["id"]) == b"second\n"


@pytest.mark.row(87)
@pytest.mark.quick
async def test_when_cancel_and_end_meet_the_truth_wins_and_there_is_one_end(
    plumber: Plumber, database_url: str
) -> None:
    agent, source = await ScriptedAgent.create(plumber, "a"), random.Random(7)
    ways: Counter[str] = Counter()
    for _ in range(RACES):
        execution = await start_embedded(plumber, Step(name="s", run="true"))
        attempt = (await next_assignment(agent)).attempt
        acts = [agent.report(attempt, state="succeeded"), cancel(plumber, execution)]
        source.shuffle(acts)
        await asyncio.gather(*acts)
        ways[(await only_step(plumber, execution)).state] += 1
    assert ways == {"succeeded": RACES}
    told = Counter(
        json.loads(data)["step_execution"]
        for kind, data in rows(database_url, "SELECT kind, data FROM events WHERE kind LIKE 'step.%'")
        if kind.removeprefix("step.") in set(TERMINAL_STEP_STATES)
    )
    assert set(told.values()) == {1} and len(told) == RACES


async def next_assignment(agent: ScriptedAgent) -> Assignment:
    """Wait for an assignment; a cancel of an attempt that has just ended says nothing any more."""
    while not isinstance(delivery := await agent.next(), Assignment):
        assert isinstance(delivery, Cancel)
    agent.held[delivery.attempt] = "running"
    return delivery


async def cancel(plumber: Plumber, execution: str) -> None:
    try:
        await plumber.executions.cancel(execution=execution)
    except Conflict:
        # It had ended before.
        return


BEATING = "while :; do date +%s%N >> beats.$PLUMBER_ATTEMPT; sleep 0.1; done"


@pytest.mark.row(88)
def test_a_step_that_is_tried_again_after_it_was_lost_never_runs_twice_at_the_same_time(
    sqlite_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    tmp_path: Path,
) -> None:
    hasty = {"PLUMBER_LEASE": "3s", "PLUMBER_LOST_AFTER": "5s", "PLUMBER_SWEEP_INTERVAL": "1s"}
    server = start_server(sqlite_url, **hasty)
    with FaultProxy(int(server.url.rpartition(":")[2])) as proxy:
        start_agent(server, "one", server_addr=proxy.address)
        retry = {"attempts": 2, "on": ["lost"], "delay": "1s"}
        step = {"name": "s", "run": BEATING, "path": str(tmp_path), "retry": retry, "stop_after": "1m"}
        task = {"name": "t", "on": "one", "steps": [{**step, "on_disconnect": "stop_after"}]}
        execution = server.call("execution.start", source=json.dumps(task), format="json")["id"]
        first = attempt_of(server, execution)
        wait_for_file(tmp_path / f"beats.{first}")
        proxy.hold()
        wait_until_sync(lambda: state(server, execution) == "retry_wait", 60, "the step to wait for its next attempt")
        proxy.release()
        second = str(wait_until_sync(lambda: another(server, execution, first), 120, "another attempt"))
        wait_for_file(tmp_path / f"beats.{second}")
        server.call("execution.cancel", execution=execution)
        ended(server, execution, 60)
    assert beats(tmp_path, first)[-1] < beats(tmp_path, second)[0]


def state(server: RunningServer, execution: str) -> str:
    return str(show(server, execution)["steps"][0]["state"])


def another(server: RunningServer, execution: str, first: str) -> str | None:
    attempts = [attempt["id"] for attempt in show(server, execution)["steps"][0]["attempts"]]
    return next((attempt for attempt in attempts if attempt != first), None)


def beats(folder: Path, attempt: str) -> list[int]:
    return [int(line) for line in (folder / f"beats.{attempt}").read_text().split()]


@pytest.mark.row(94)
def test_an_agent_that_comes_back_after_a_month_tells_what_it_did_and_works_on(
    sqlite_url: str, start_load: Callable[..., Load]
) -> None:
    if not FAKETIME:
        pytest.skip("not installed: faketime (tools/lab.sh)")
    load = start_load(sqlite_url, "one")
    [agent] = load.agents
    load.start(2, steps=2, seconds=2)
    load.wait_until_begun(2)
    load.server.process.kill()
    agent.process.kill()
    wait_until_sync(lambda: all(run.ended for run in load.witness.runs().values()), 30, "the commands to end")
    later = {"LD_PRELOAD": str(FAKETIME[0]), "FAKETIME": "+31d", "DONT_FAKE_MONOTONIC": "1"}
    load.server.restart(**later)
    load.server.log_in()
    agent.restart(**later)
    for execution in load.executions:
        assert ended(load.server, execution, 60)["state"] == "succeeded"
    assert len(load.witness.runs()) == load.steps
