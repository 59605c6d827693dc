"""When an agent takes no steps: its disk is short of room, or it only waits for what runs."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from plumber_core.errors import SpoolUnwritable
from plumber_core.model.limits import DISK_FREE, SPOOL_CAP_AGENT
from plumber_core.protocol.messages import NeverRan, Renew, Report
from plumber_core.runner.acceptance import COUNT_REST, EASE, REST, Room
from plumber_core.runner.clock import Clock
from plumber_core.runner.disk import Disk
from support.fake_supervisor import FakeSupervisor
from support.linked import linked
from support.scripted_server import ScriptedServer
from support.waiting import wait_until

GIB = 1024**3


class SmallDisk(Disk):
    """A disk whose room the test says."""

    def __init__(self, free: float = 50 * GIB, total: float = 100 * GIB, held: float = 0) -> None:
        self.free, self.total, self.used = free, total, held

    def room(self, path: str) -> tuple[int, int]:
        return int(self.free), int(self.total)

    def held(self, folder: str) -> int:
        return int(self.used)


class Watch(Clock):
    """A clock that the test moves."""

    now = 1000.0

    def boottime(self) -> float:
        return self.now


class SlowDisk(SmallDisk):
    """A disk with so many files that counting them takes a while."""

    takes, counts = 0.25, 0

    def __init__(self, watch: Watch) -> None:
        super().__init__()
        self._watch = watch

    def held(self, folder: str) -> int:
        self.counts += 1
        self._watch.now += self.takes
        return super().held(folder)


@pytest.mark.parametrize(
    ("disk", "short"),
    [
        (SmallDisk(), False),
        (SmallDisk(free=0.049 * 10 * GIB, total=10 * GIB), True),
        (SmallDisk(free=0.051 * 10 * GIB, total=10 * GIB), False),
        (SmallDisk(free=DISK_FREE + 1, total=10_000 * GIB), False),
        (SmallDisk(free=DISK_FREE - 1, total=10_000 * GIB), True),
        (SmallDisk(held=SPOOL_CAP_AGENT + 1), True),
        (SmallDisk(held=SPOOL_CAP_AGENT), False),
    ],
)
def test_a_disk_is_short_below_its_share_or_above_the_cap(disk: SmallDisk, short: bool) -> None:
    assert Room(Path("/state"), disk=disk).short() is short


def test_once_short_it_needs_some_more_so_that_nobody_wavers() -> None:
    disk = SmallDisk(free=0.04 * 10 * GIB, total=10 * GIB)
    room = Room(Path("/state"), disk=disk)
    assert room.short()
    disk.free = 0.05 * EASE * 10 * GIB - 1
    assert room.short()
    disk.free = 0.05 * EASE * 10 * GIB + 1
    assert not room.short()
    disk.free = 0.051 * 10 * GIB
    assert not room.short()


def test_a_disk_that_refused_something_rests() -> None:
    watch = Watch()
    room = Room(Path("/state"), disk=SmallDisk(), clock=watch)
    room.failed()
    assert room.short()
    watch.now += REST
    assert not room.short()


def test_a_spool_that_takes_long_to_count_is_counted_seldom() -> None:
    """A day's settled attempts lie there: looking through them for every step would cost more than the steps."""
    watch = Watch()
    disk = SlowDisk(watch)
    room = Room(Path("/state"), disk=disk, clock=watch)
    for _ in range(COUNT_REST):
        assert not room.short()
        watch.now += disk.takes / 2
    assert disk.counts == 1
    watch.now += COUNT_REST * disk.takes
    disk.used = SPOOL_CAP_AGENT + 1
    assert room.short()
    assert disk.counts == 2


def test_a_folder_that_is_gone_has_no_room(tmp_path: Path) -> None:
    (tmp_path / "spool").mkdir()
    assert not Room(tmp_path).short()
    (tmp_path / "spool").rmdir()
    assert Room(tmp_path).short()


async def test_renewals_say_so_and_what_comes_all_the_same_is_given_back(tmp_path: Path) -> None:
    server, disk = ScriptedServer(heartbeat=0.05), SmallDisk(free=0)
    async with linked(tmp_path, server, room=Room(tmp_path, disk=disk)) as link:
        await link.ready()
        assert server.of(Renew)[0].refuses == "disk_pressure"
        server.assign("a")
        await wait_until(lambda: server.of(NeverRan))
        assert server.of(NeverRan)[0].reason == "disk_pressure"
        assert "a" not in link.hands.commands
        disk.free = disk.total
        await wait_until(lambda: server.of(Renew)[-1].refuses == "")
        server.assign("b")
        await wait_until(lambda: "b" in link.hands.commands)


async def test_a_start_that_the_disk_refuses_is_given_back_and_nothing_is_taken_for_a_while(tmp_path: Path) -> None:
    server, hands = ScriptedServer(heartbeat=0.05), FakeSupervisor(tmp_path)
    hands.spawn_answer = SpoolUnwritable(reason="Input/output error")
    async with linked(tmp_path, server, hands, room=Room(tmp_path, disk=SmallDisk())) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: server.of(NeverRan))
        assert server.of(NeverRan)[0].reason == "disk_pressure"
        assert link.hands.verbs("a")[:2] == ["spawn", "void"]
        await wait_until(lambda: server.of(Renew)[-1].refuses == "disk_pressure")


async def test_an_agent_that_stops_waits_for_what_runs_and_takes_nothing_more(tmp_path: Path) -> None:
    server = ScriptedServer(heartbeat=0.05)
    async with linked(tmp_path, server) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: "a" in link.hands.commands)
        link.loop.stop(drain=60)
        await wait_until(lambda: server.of(Renew)[-1].refuses == "stopping")
        server.assign("b")
        await wait_until(lambda: server.of(NeverRan))
        assert (server.of(NeverRan)[0].attempt, server.of(NeverRan)[0].reason) == ("b", "stopping")
        assert not link.task.done()
        link.hands.exits("a")
        async with asyncio.timeout(20):
            await asyncio.shield(link.task)
        assert [message.attempt for message in server.of(Report)] == ["a"]
        assert link.hands.detached and not link.hands.killed


async def test_its_patience_ends_and_so_it_does_when_asked_again(tmp_path: Path) -> None:
    for again in (False, True):
        server = ScriptedServer()
        async with linked(tmp_path / str(again), server) as link:
            await link.ready()
            server.assign("a")
            await wait_until(lambda hands=link.hands: "a" in hands.commands)
            link.loop.stop(drain=3600 if again else 0.05)
            if again:
                link.loop.stop(drain=3600)
            async with asyncio.timeout(20):
                await asyncio.shield(link.task)
            assert link.hands.detached


async def test_short_of_room_it_takes_all_that_the_server_has_off_the_disk(tmp_path: Path) -> None:
    server, disk = ScriptedServer(heartbeat=0.05), SmallDisk()
    async with linked(tmp_path, server, room=Room(tmp_path, disk=disk)) as link:
        await link.ready()
        server.assign("a")
        await wait_until(lambda: "a" in link.hands.commands)
        link.hands.prints("a", b"x" * 1000)
        await wait_until(lambda: server.logs.get("a"))
        assert "trim" not in link.hands.verbs("a")
        disk.free = 0
        await wait_until(lambda: ("trim", "a", len(server.logs["a"]), True) in link.hands.calls)
        assert ("make_room",) in link.hands.calls
