"""Locks, queues and offline hosts over real agents: servers die in the middle, and nobody holds what another holds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from support.api import ended
from support.processes import Processes
from support.programs import RunningAgent, RunningServer, launch_agent
from support.waiting import wait_until_sync

FAST = {"PLUMBER_LEASE": "3", "PLUMBER_SWEEP_INTERVAL": "1"}
ALONE = "echo + >> {turns}; sleep 0.05; echo - >> {turns}"
LOCKED = """\
name: {name}
on: all
steps:
  - name: one
    run: {run}
    locks: [{lock}]
"""


def _start(server: RunningServer, source: str) -> str:
    return str(server.call("execution.start", source=source)["id"])


def _most_at_once(turns: Path) -> int:
    most = now = 0
    for turn in turns.read_text().split():
        now += 1 if turn == "+" else -1
        most = max(most, now)
    assert now == 0
    return most


def test_two_tasks_share_a_lock_and_a_server_that_dies_forgets_nobody(
    database_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    tmp_path: Path,
) -> None:
    server, turns = start_server(database_url, **FAST), tmp_path / "turns"
    for name in ("web-1", "web-2"):
        start_agent(server, name)
    run = ALONE.format(turns=turns)
    sources = [LOCKED.format(name=name, run=run, lock="db") for name in ("deploy", "backup")]
    executions = [_start(server, source) for source in sources * 3]
    wait_until_sync(lambda: turns.exists() and "-" in turns.read_text(), 30, "the first turn to end")
    server.process.kill()
    server.restart()
    assert [ended(server, execution, 90)["state"] for execution in executions] == ["succeeded"] * 6
    assert (_most_at_once(turns), turns.read_text().count("+")) == (1, 12)


def test_a_queued_step_is_delivered_once_when_its_host_is_back_and_a_quorum_decides_about_the_others(
    database_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    processes: Processes,
    tmp_path: Path,
) -> None:
    server, witness = start_server(database_url, **FAST), tmp_path / "witness"
    agents = [start_agent(server, f"web-{n}") for n in range(3)]
    late = launch_agent(processes, server, "late", None)
    late.process.stop()
    server.call("agent.create", name="never")
    offline = "{policy: queue 24h, quorum: 80%}"
    run = f'echo "$PLUMBER_AGENT_NAME" >> {witness}'
    source = f"name: patch\non: all\noffline: {offline}\nsteps:\n  - name: one\n    run: {run}\n"
    queued = _start(server, source)
    skipped = _start(server, source.replace("queue 24h", "skip").replace("80%", "3"))
    assert (ended(server, skipped, 90)["state"], server.call("execution.show", execution=skipped)["warnings"]) == (
        "succeeded",
        2,
    )
    wait_until_sync(
        lambda: _waiting(server, queued) == {"late": "agent_offline_until", "never": "agent_never_until"}, 30
    )
    late.restart()
    wait_until_sync(lambda: _waiting(server, queued) == {"never": "agent_never_until"}, 30, "late to run its step")
    wait_until_sync(lambda: "late" in witness.read_text(), 30, "late to have run its step")
    server.call("execution.cancel", execution=queued)
    assert sorted(witness.read_text().split()) == ["late", *(f"web-{n // 2}" for n in range(2 * len(agents)))]


def _waiting(server: RunningServer, execution: str) -> dict[str, str]:
    steps = server.call("execution.show", execution=execution)["steps"]
    return {
        step["host_name"]: step["waiting"]["code"] for step in steps if step["state"] == "ready" and step["waiting"]
    }
