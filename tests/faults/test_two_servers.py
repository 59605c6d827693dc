"""Two servers share a database: one of them dies every few seconds, or is frozen, and only latency tells."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from support.history import terminal_rows
from support.invariants import unchanged
from support.loads import Load
from support.programs import RunningAgent, RunningServer
from support.waiting import wait_until_sync
from support.witness import Witness


class Pair(Load):
    """Agents that know both servers; ``server`` is the one that is asked."""

    def __init__(self, servers: list[RunningServer], agents: list[RunningAgent], witness: Witness) -> None:
        super().__init__(servers[0], agents, witness)
        self.servers = servers


@pytest.fixture
def pair(
    postgres_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    tmp_path: Path,
) -> Pair:
    servers = [start_server(postgres_url, name=name) for name in ("server-1", "server-2")]
    addresses = [server.url for server in servers]
    agents = [
        start_agent(servers[0], name, server_addr=",".join(order))
        for name, order in (("one", addresses), ("two", addresses[::-1]))
    ]
    return Pair(servers, agents, Witness(tmp_path / "witness"))


@pytest.mark.row(38)
def test_servers_are_killed_in_turns_under_load_and_every_step_runs_once(pair: Pair) -> None:
    ended_rows: dict[str, tuple[object, ...]] = {}
    for round_ in range(6):
        victim, other = pair.servers[round_ % 2], pair.servers[1 - round_ % 2]
        pair.server = other
        pair.start(2, seconds=0.1)
        victim.process.kill()
        # Work goes on over the other one alone.
        pair.wait_until_begun(6)
        victim.restart()
        now = terminal_rows(pair.server.database_url)
        assert unchanged(ended_rows, now) == []
        ended_rows = now
    pair.prove()


@pytest.mark.row(39)
def test_what_a_server_writes_that_was_frozen_in_the_middle_changes_nothing_that_has_ended(pair: Pair) -> None:
    frozen, pair.server = pair.servers
    pair.start(6, seconds=0.3)
    pair.wait_until_begun(2)
    frozen.process.send(signal.SIGSTOP)
    wait_until_sync(lambda: moved(pair), 90, "both agents to be at the other server")
    pair.start(2, seconds=0.1)
    pair.prove()
    before = terminal_rows(pair.server.database_url)
    frozen.process.send(signal.SIGCONT)
    pair.server = frozen
    pair.start(2, seconds=0.1)
    pair.prove()
    assert unchanged(before, terminal_rows(pair.server.database_url)) == []


def moved(pair: Pair) -> bool:
    return "Not connected" in pair.agents[0].process.output() and all(
        pair.server.call("agent.show", agent=agent.name)["presence"] == "online" for agent in pair.agents
    )
