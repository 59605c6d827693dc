"""Rollouts over real agents: one stops itself, one waits for somebody over the death of its server."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from plumber_core.crash import CRASHED
from support.programs import RunningAgent, RunningServer, wait_until_online
from support.waiting import wait_until_sync

STOPS = """\
name: stops
on: role=web
steps:
  - name: roll out
    rollout: {{batches: 1 2 100%}}
    steps:
      - name: install
        run: |
          echo "install $PLUMBER_AGENT_NAME" >> {witness}
          test -e {fixed} || test "$PLUMBER_AGENT_NAME" != web-2
      - name: start
        run: echo "start $PLUMBER_AGENT_NAME" >> {witness}
  - name: after
    run: echo after >> {witness}
"""
WAITS = """\
name: waits
on: role=web
steps:
  - name: restart
    run: echo "$PLUMBER_AGENT_NAME" >> {witness}
    rollout:
      batches: 1
      pause: manual
      gate: {{uses: http, with: {{url: '{health}', expect: 200}}, on: any 1 of all, retry: {{attempts: 20, delay: 1s}}}}
"""
Agents = Callable[..., RunningAgent]


def _shown(server: RunningServer, execution: str) -> dict[str, Any]:
    return dict(server.call("execution.show", execution=execution))


def _ended(server: RunningServer, execution: str) -> dict[str, Any]:
    wait_until_sync(lambda: _shown(server, execution)["state"] not in ("running", "queued"), 60, "it to end")
    return _shown(server, execution)


def _start(server: RunningServer, source: str, **values: Any) -> str:
    return str(server.call("execution.start", source=source.format(**values))["id"])


def _fleet(server: RunningServer, start_agent: Agents, count: int) -> list[RunningAgent]:
    return [start_agent(server, f"web-{number}", {"role": "web"}) for number in range(1, count + 1)]


def _batches(shown: dict[str, Any]) -> list[str]:
    return [batch["state"] for batch in shown["rollouts"][0]["batches"]]


def test_a_rollout_stops_itself_and_touches_only_the_rest_once_it_is_resumed(
    database_url: str, start_server: Callable[..., RunningServer], start_agent: Agents, tmp_path: Path
) -> None:
    server = start_server(database_url)
    _fleet(server, start_agent, 5)
    witness, fixed = tmp_path / "witness", tmp_path / "fixed"
    shown = _ended(server, _start(server, STOPS, witness=witness, fixed=fixed))
    assert (shown["state"], _batches(shown)) == ("failed", ["passed", "stopped", "skipped"])
    # web-3 was in flight when web-2 failed, and has gone through all of its steps.
    assert sorted(witness.read_text().splitlines()) == [
        *("install web-1", "install web-2", "install web-3", "start web-1", "start web-3")
    ]
    untouched = [step for step in shown["steps"] if step["host_name"] in ("web-4", "web-5") or step["step"] == "after"]
    assert {step["state"] for step in untouched} == {"skipped"}
    assert all(step["attempts"] == [] for step in untouched)
    before = len(witness.read_text().splitlines())
    fixed.touch()
    server.call("execution.resume", execution=shown["id"], reason="fixed")
    shown = _ended(server, shown["id"])
    assert (shown["state"], _batches(shown)) == ("succeeded", ["passed", "passed", "passed"])
    rest = [f"{step} web-{number}" for number in (2, 4, 5) for step in ("install", "start")]
    assert sorted(witness.read_text().splitlines()[before:]) == sorted([*rest, *["after"] * 5])


def test_a_rollout_waits_for_somebody_over_the_death_of_its_server(
    database_url: str, start_server: Callable[..., RunningServer], start_agent: Agents, tmp_path: Path
) -> None:
    server = start_server(database_url)
    _fleet(server, start_agent, 2)
    witness = tmp_path / "witness"
    execution = _start(server, WAITS, witness=witness, health=f"{server.url}/health")
    wait_until_sync(lambda: _shown(server, execution)["rollouts"][0]["waiting"] is not None, 60, "the first batch")
    server.process.send(signal.SIGKILL)
    server.restart()
    waiting = {"code": "batch_go", "block": "restart", "batch": 1, "batches": 2}
    shown = _shown(server, execution)
    assert (shown["rollouts"][0]["waiting"], _batches(shown)) == (waiting, ["waiting", "blocked"])
    assert witness.read_text() == "web-1\n"
    server.call("execution.go", execution=execution, batch=1, reason="it still serves")
    shown = _ended(server, execution)
    assert (shown["state"], _batches(shown)) == ("succeeded", ["passed", "passed"])
    assert witness.read_text() == "web-1\nweb-2\n"
    assert [step["step"] for step in shown["steps"]] == ["restart", "restart", "restart gate 1", "restart gate 2"]


HALTS = """\
name: halts
on: role=web
steps:
  - name: install
    rollout: {{batches: 100%}}
    run: |
      echo "$PLUMBER_AGENT_NAME" >> {witness}
      if test "$PLUMBER_AGENT_NAME" = web-1; then until grep -q web-2 {witness}; do sleep 0.1; done; exit 1; fi
      until test -e {gate}; do sleep 0.1; done
"""
PAUSES = """\
name: pauses
on: role=web
steps:
  - name: install
    rollout: {{batches: 1, pause: 1s}}
    run: echo "$PLUMBER_AGENT_NAME" >> {witness}
"""


def _dies_at(server: RunningServer, point: str) -> None:
    server.process.kill()
    server.restart(PLUMBER_CRASH_AT=point)


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_server_dies_beside_the_commit_that_stops_a_rollout_and_nobody_begins(
    side: str, database_url: str, start_server: Callable[..., RunningServer], start_agent: Agents, tmp_path: Path
) -> None:
    server = start_server(database_url)
    _fleet(server, start_agent, 3)
    _dies_at(server, f"server.halt.{side}_commit")
    for name in ("web-1", "web-2"):
        wait_until_online(server, name)
    server.call("agent.drain", agent="web-3")
    witness, gate = tmp_path / "witness", tmp_path / "gate"
    execution = _start(server, HALTS, witness=witness, gate=gate)
    assert server.process.wait(60) == CRASHED
    server.restart()

    def states() -> dict[str, str]:
        return {step["host_name"]: step["state"] for step in _shown(server, execution)["steps"]}

    wait_until_sync(lambda: states()["web-3"] == "skipped", 60, "the rollout to stop")
    assert states() == {"web-1": "failed", "web-2": "running", "web-3": "skipped"}
    server.call("agent.activate", agent="web-3")
    gate.touch()
    assert _ended(server, execution)["state"] == "failed"
    assert sorted(witness.read_text().split()) == ["web-1", "web-2"]


@pytest.mark.parametrize("side", ["before", "after"])
def test_a_server_dies_beside_the_commit_that_begins_a_batch_and_it_begins_once(
    side: str, database_url: str, start_server: Callable[..., RunningServer], start_agent: Agents, tmp_path: Path
) -> None:
    server = start_server(database_url)
    _fleet(server, start_agent, 2)
    _dies_at(server, f"server.open_batch.{side}_commit")
    witness = tmp_path / "witness"
    execution = _start(server, PAUSES, witness=witness)
    assert server.process.wait(60) == CRASHED
    server.restart()
    assert _ended(server, execution)["state"] == "succeeded"
    assert witness.read_text().split() == ["web-1", "web-2"]
