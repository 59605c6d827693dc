"""Rules behind which others stand, so that seeds alone do not miss them: one supervisor on a simulated machine."""

from __future__ import annotations

import random
from typing import Any, cast

import pytest

from plumber_core.runner.machine import Machine
from plumber_core.runner.supervisor import Supervisor
from plumber_core.testing.simulator.commands import SimulatedProcesses
from plumber_core.testing.simulator.disk import SimulatedDisk
from plumber_core.testing.simulator.loop import VirtualLoop
from plumber_core.testing.simulator.machine import FOLDER, SimulatedMachine
from plumber_core.testing.simulator.reactor import Listener
from plumber_core.testing.simulator.truth import Truth


class Link:
    """The supervisor's end of a link's connection: what it was told, and whether it was closed."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []
        self.closed = False
        self.number = 0

    def send(self, message: dict[str, Any], soon: bool = False) -> None:
        self.told.append(message)

    def close(self) -> None:
        self.closed = True


def ask(supervisor: Supervisor, link: Link, **message: Any) -> dict[str, Any]:
    supervisor._asked(cast(Any, link), {"id": 1, **message})
    return link.told[-1]


@pytest.fixture
def supervisor() -> Supervisor:
    loop, disk = VirtualLoop(), SimulatedDisk(random.Random(1))
    machine = SimulatedMachine(loop, "m0", random.Random(1), Truth(loop, 0, cast(Any, None)), disk)
    world = Machine(machine.clock, disk, SimulatedProcesses(machine))
    return Supervisor(FOLDER, cast(Any, Listener(1)), 30.0, world)


def test_what_was_made_void_is_on_the_disk_before_that_is_told(supervisor: Supervisor) -> None:
    link = Link()
    ask(supervisor, link, do="attach")
    assert ask(supervisor, link, do="void", attempt="a") == {"id": 1, "answer": "void"}
    assert not supervisor._book.journal.dirty


def test_only_the_newest_link_is_listened_to(supervisor: Supervisor) -> None:
    older, newer = Link(), Link()
    for link in (older, newer):
        ask(supervisor, link, do="attach")
    assert older.closed and not newer.closed
    assert ask(supervisor, older, do="void", attempt="a")["error"] == "fenced"
    assert not supervisor._book.ledger.knows("a")
    assert ask(supervisor, newer, do="void", attempt="a")["answer"] == "void"
