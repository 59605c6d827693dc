"""The line between an agent and its server is cut, one way or both, silently or with resets, narrowed and lossy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from support.api import attempt_of, ended, only_attempt, show, wait_until_printed
from support.lab.hosts import Host
from support.loads import Load
from support.programs import RunningAgent, RunningServer
from support.waiting import wait_until_sync
from support.witness import Witness

HASTY = {"PLUMBER_HOST": "0.0.0.0", "PLUMBER_LEASE": "3s", "PLUMBER_SWEEP_INTERVAL": "500ms"}


class Line(Load):
    """A server, an agent on a host of its own, and the line between them."""

    def __init__(self, server: RunningServer, agent: RunningAgent, host: Host, witness: Witness) -> None:
        super().__init__(server, [agent], witness)
        self.agent, self.host = agent, host

    def wait_until_called(self, state: str, execution: str) -> None:
        """Wait until the server calls a step of an execution so."""

        def called() -> bool:
            return state in {step["state"] for step in show(self.server, execution)["steps"]}

        wait_until_sync(called, 60, f"a step to be {state}")

    def ports(self) -> set[int]:
        """Return the agent's ports that lead to the server."""
        return set(self.host.ports(int(self.server.url.rpartition(":")[2])))

    def wait_until_given_up(self) -> None:
        """Wait until the agent has given up a connection or failed to make one."""
        said = self.complaints()
        wait_until_sync(lambda: self.complaints() > said, 90, "the agent to give up a connection")

    def complaints(self) -> int:
        return self.agent.process.output().count("Not connected")


@pytest.fixture
def line(
    sqlite_url: str,
    start_server: Callable[..., RunningServer],
    start_agent: Callable[..., RunningAgent],
    new_host: Callable[[], Host],
    tmp_path: Path,
) -> Line:
    host = new_host()
    server = start_server(sqlite_url, **HASTY)
    address = f"http://{host.gateway}:{server.url.rpartition(':')[2]}"
    agent = start_agent(server, "one", server_addr=address, inside=host.inside)
    return Line(server, agent, host, Witness(tmp_path / "witness"))


@pytest.mark.row(54)
def test_with_only_the_way_to_the_server_cut_it_hears_silence_and_then_everything(line: Line) -> None:
    executions = line.start(seconds=2)
    line.wait_until_begun()
    line.host.cut(out=True)
    line.wait_until_called("unreachable", executions[0])
    line.host.heal()
    line.prove()


@pytest.mark.row(55)
def test_with_only_the_way_back_cut_what_is_repeated_has_its_effect_once(line: Line) -> None:
    line.start(seconds=1)
    line.wait_until_begun()
    for _ in range(3):
        # Requests go out, and no answer comes.
        line.host.cut(back=True)
        line.wait_until_given_up()
        line.host.heal()
    line.prove()


@pytest.mark.row(56)
@pytest.mark.quick
def test_a_partition_that_outlasts_every_step_costs_no_result_and_no_byte(line: Line) -> None:
    executions = line.start(5, steps=2, seconds=5)
    for execution in executions:
        wait_until_printed(line.server, attempt_of(line.server, execution), b"line 5\n")
    line.host.cut(out=True, back=True)
    wait_until_sync(lambda: sum(len(run.ended) for run in line.witness.runs().values()) == 5, 60, "steps to end")
    line.wait_until_called("unreachable", executions[0])
    line.host.heal()
    line.prove()


@pytest.mark.row(57)
def test_a_connection_that_a_router_has_forgotten_is_noticed_and_replaced(line: Line) -> None:
    [execution] = line.start(1, steps=1, seconds=600)
    attempt = attempt_of(line.server, execution)
    old = line.ports()
    line.host.cut_ports(sorted(old))
    wait_until_sync(lambda: line.ports() - old, 90, "a new connection")
    assert line.complaints() == 1
    line.server.call("execution.cancel", execution=execution)
    shown = ended(line.server, execution, 60)
    assert (only_attempt(shown)["id"], only_attempt(shown)["state"]) == (attempt, "cancelled")


@pytest.mark.row(58)
def test_resets_again_and_again_cost_nothing_but_time(line: Line) -> None:
    line.start(6, seconds=0.5)
    for _ in range(12):
        wait_until_sync(line.ports, 60, "a connection")
        line.host.reset()
    assert line.complaints() > 3
    line.prove()


@pytest.mark.row(59)
def test_on_a_lossy_narrow_line_everything_arrives_and_nobody_is_called_unreachable(line: Line) -> None:
    line.witness.lines = 400
    line.host.narrow(64)
    line.host.lose(30)
    line.start(1, steps=2, seconds=0)
    history = line.prove(400)
    assert sum(len(attempt.log) for attempt in history.attempts.values()) > 40_000
    assert [moves for moves in history.moves.values() if {"unreachable", "lost"} & set(moves)] == []
