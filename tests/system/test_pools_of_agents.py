"""Pools over the real protocol: agents are killed between their claim and their start, and every command runs once."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.api import ended
from support.faulty import stopped
from support.programs import RunningAgent, RunningServer
from support.waiting import wait_until_sync

POOL = """\
name: pooled
steps:
  - name: one
    on: any 1 of role=pool
    run: echo "$PLUMBER_AGENT_NAME" >> {witness}
  - name: after
    on: any 2 of role=pool
    run: echo "$PLUMBER_STEP" >> {witness}
"""
FAST = {"PLUMBER_LEASE": "3", "PLUMBER_SWEEP_INTERVAL": "1"}


def _run(server: RunningServer, witness: Path) -> str:
    return str(server.call("execution.start", source=POOL.format(witness=witness))["id"])


def _draining(server: RunningServer, start_agent: Callable[..., RunningAgent], *names: str) -> list[RunningAgent]:
    """Start agents that belong to the pool and take nothing for now."""
    agents = [start_agent(server, name, {"role": "pool"}) for name in names]
    for name in names:
        server.call("agent.drain", agent=name)
    return agents


def test_an_agent_killed_between_claim_and_start_costs_nothing(
    database_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
) -> None:
    server = start_server(database_url, **FAST)
    others = _draining(server, start_agent, "second", "third")
    doomed = start_agent(server, "doomed", {"role": "pool"}, PLUMBER_FREEZE_AT="link.assigned")
    witness = doomed.workdir / "witness"
    execution = _run(server, witness)
    link = doomed.process
    wait_until_sync(lambda: stopped(link.pid), 20, "the agent to stand still with its claim")
    [step] = [one for one in server.call("execution.show", execution=execution)["steps"] if one["step"] == "one"]
    assert (step["state"], step["host_name"]) == ("claimed", "doomed")
    for other in others:
        server.call("agent.activate", agent=other.name)
    link.send(signal.SIGKILL)
    shown = ended(server, execution)
    assert shown["state"] == "succeeded", shown
    first = shown["steps"][0]
    assert first["host_name"] in {other.name for other in others}
    assert [attempt["state"] for attempt in first["attempts"]] == ["never_ran", "succeeded"]
    assert {one["host_name"] for one in shown["steps"][1:]} == {other.name for other in others}
    assert sorted(witness.read_text().split()) == sorted([first["host_name"], "after", "after"])


@pytest.mark.parametrize("point", ["link.permit_got", "link.start_sent"])
def test_an_agent_that_dies_around_its_leave_lets_the_command_run_once(
    database_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    point: str,
) -> None:
    server = start_server(database_url, **FAST)
    _draining(server, start_agent, "second")
    first = start_agent(server, "first", {"role": "pool"})
    first.process.send(signal.SIGKILL)
    first.process.wait()
    first.restart(PLUMBER_CRASH_AT=point)
    witness = first.workdir / "witness"
    execution = _run(server, witness)
    wait_until_sync(lambda: first.process.exit_code is not None, 30, "the agent to die")
    server.call("agent.activate", agent="second")
    first.restart()
    shown = ended(server, execution)
    assert shown["state"] == "succeeded", shown
    lines = witness.read_text().split()
    assert (len(lines), lines.count("after")) == (3, 2)
