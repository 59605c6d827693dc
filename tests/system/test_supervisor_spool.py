"""What waits for the server: limits of the spool, permits, voids, full disks."""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumber_core.errors import PlumberError, SpoolUnwritable
from plumber_core.protocol.frames import whole_length
from plumber_core.runner.attempt import DRAIN
from plumber_core.runner.supervision import Command, boottime
from support.supervised import Supervised, shell, supervised
from support.waiting import wait_until

MIB = 1024 * 1024


async def stalled(s: Supervised, attempt: str, cap: int) -> int:
    """Wait until an attempt's log has passed ``cap``, and return where it stays."""
    path = s.client._spool / f"{attempt}.log"
    sizes: list[int] = []

    def still() -> bool:
        sizes.append(path.stat().st_size)
        return sizes[-1] >= cap and len(sizes) > 5 and len(set(sizes[-5:])) == 1

    await wait_until(still)
    return sizes[-1]


async def test_a_full_spool_makes_the_command_wait_and_loses_nothing(tmp_path: Path) -> None:
    total = 6 * MIB  # below what is given back to the disk while the command runs
    async with supervised(tmp_path, spool_cap=MIB) as s:
        attempt = await s.spawn(shell(f"head -c {total} /dev/zero; echo end", idle_timeout=2))
        held = await stalled(s, attempt, MIB)
        assert held < 2 * MIB
        s.acknowledging = True
        await s.client.trim(attempt, whole_length(s.client.read_log(attempt, 0, held)))
        record = await s.end_of(attempt)
        assert record.exit is not None
        assert record.exit.state == "succeeded"
        assert s.text(attempt) == bytes(total) + b"end\n"


async def test_the_end_comes_through_a_full_spool(tmp_path: Path) -> None:
    async with supervised(tmp_path, spool_cap=MIB) as s:
        attempt = await s.spawn(shell("yes"))
        await stalled(s, attempt, MIB)
        await s.client.cancel(attempt)
        record = await s.end_of(attempt)
        assert record.exit is not None
        assert (record.exit.state, record.exit.signal) == ("cancelled", 15)
        assert whole_length(s.client.read_log(attempt, 0, 1 << 30)) == record.log_end


async def test_acknowledged_output_gives_its_disk_back_while_it_runs(tmp_path: Path) -> None:
    total = 100 * MIB
    async with supervised(tmp_path) as s:
        s.acknowledging = True
        record = await s.run(shell(f"head -c {total} /dev/zero"))
        status = (tmp_path / f"spool/{record.attempt}.log").stat()
        assert status.st_size == record.log_end > total
        assert status.st_blocks * 512 < total // 2


async def test_a_permit_too_old_is_void_for_ever(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        ran = tmp_path / "ran"
        command = shell(f"touch {ran}")
        assert await s.client.spawn("x", command, permit_until=boottime() - 0.01, meta={}) == "stale"
        assert await s.client.spawn("x", command, permit_until=boottime() + 60, meta={}) == "known"
        (record,) = await s.client.inventory()
        assert (record.state, record.exit) == ("void", None)
        assert await s.client.spawn("y", command, permit_until=boottime() + 60, meta={}) == "spawned"
        await s.end_of("y")
        assert ran.exists()


async def test_voids_and_known_attempts(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        assert await s.client.void("x") == "void"
        assert await s.client.void("x") == "void"
        assert await s.client.spawn("x", shell("true"), permit_until=None, meta={}) == "known"
        record = await s.run(shell("true"))
        assert await s.client.void(record.attempt) == "known"


async def test_forgetting_without_room_removes_files_and_leaves_a_tombstone(tmp_path: Path) -> None:
    async with supervised(tmp_path, keep=0) as s:
        record = await s.run(shell("echo x"))
        await s.client.forget(record.attempt)
        await wait_until(lambda: not list((tmp_path / "spool").iterdir()))
        assert await s.client.inventory() == []
        assert await s.client.spawn(record.attempt, shell("true"), permit_until=None, meta={}) == "known"
        running = await s.spawn(shell("sleep 60"))
        with pytest.raises(PlumberError):
            await s.client.forget(running)


async def test_what_was_forgotten_is_kept_and_can_be_told_again(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        first, second = await s.run(shell("echo one; exit 3")), await s.run(shell("true"))
        await s.client.forget(first.attempt)
        await s.client.void("never")
        await s.client.forget("never")
        assert [record.attempt for record in await s.client.inventory()] == [second.attempt]
        assert await s.client.spawn(first.attempt, shell("true"), permit_until=None, meta={}) == "known"
        os.kill(s.client.pid, 9)
        await wait_until(lambda: s.gone)
    async with supervised(tmp_path) as s:
        assert await s.client.revive(-60.0) == []
        assert await s.client.revive(60.0, "another") == []
        assert await s.client.revive(60.0) == [first.attempt, "never"]
        known = {record.attempt: record for record in await s.client.inventory()}
        assert (known[first.attempt], known["never"].state) == (first, "void")
        assert s.text(first.attempt) == b"one\n"
        await s.client.forget(first.attempt)
        assert await s.client.revive(60.0, first.attempt) == [first.attempt]


async def test_a_released_attempt_is_forgotten_without_an_answer(tmp_path: Path) -> None:
    async with supervised(tmp_path, keep=0) as s:
        first, second = await s.run(shell("echo x")), await s.run(shell("echo y"))
        s.client.release(first.attempt)
        s.client.release(second.attempt)
        await wait_until(lambda: not list((tmp_path / "spool").iterdir()))
        assert await s.client.inventory() == []
        running = await s.spawn(shell("sleep 60"))
        s.client.release(running)
        assert [record.attempt for record in await s.client.inventory()] == [running], "what runs is kept"


async def test_a_release_goes_out_before_the_link_lets_go(tmp_path: Path) -> None:
    async with supervised(tmp_path, keep=0) as s:
        record = await s.run(shell("true"))
        s.client.release(record.attempt)
        await s.client.detach()
        await wait_until(lambda: not list((tmp_path / "spool").iterdir()))


async def test_nonsense_is_refused_and_hurts_nobody(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        for name in ("../evil", "", "-", "a b", "x" * 300):
            with pytest.raises(PlumberError):
                await s.client.spawn(name, shell("true"), permit_until=None, meta={})
        with pytest.raises(PlumberError):
            await s.client.spawn("x", Command((), {}), permit_until=None, meta={})
        assert await s.client.inventory() == []
        assert (await s.run(shell("true"))).state == "exited"


async def test_the_journal_is_compacted_and_remembers(tmp_path: Path) -> None:
    async with supervised(tmp_path) as s:
        big = {"spec": "x" * 60_000}
        for number in range(25):
            attempt = await s.spawn(shell("true"), f"n{number}", meta=big)
            await s.end_of(attempt)
            await s.client.forget(attempt)
        kept = await s.spawn(shell("true"), "kept", meta={"k": 1})
        await s.end_of(kept)
        await wait_until(lambda: (tmp_path / "journal").stat().st_size < 700_000)
        os.kill(s.client.pid, 9)
        await wait_until(lambda: s.gone)
    async with supervised(tmp_path) as s:
        assert [(r.attempt, r.state, r.meta) for r in await s.client.inventory()] == [("kept", "exited", {"k": 1})]
        assert await s.client.spawn("n3", shell("true"), permit_until=None, meta={}) == "known"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 3 MiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=3m", "none", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("a file system cannot be mounted here")
    yield folder
    with contextlib.suppress(subprocess.CalledProcessError):
        subprocess.run(["umount", "-l", str(folder)], check=True)


async def spawn_many(s: Supervised) -> None:
    for number in range(200):
        await s.client.spawn(f"more{number}", shell("true"), permit_until=None, meta={"x": "y" * 5000})


async def test_a_full_disk_makes_the_command_wait_and_its_exit_is_still_recorded(small_disk: Path) -> None:
    async with supervised(small_disk) as s:
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(MIB))
        attempt = await s.spawn(shell("head -c 4000000 /dev/zero; echo end"))
        await stalled(s, attempt, MIB)
        with pytest.raises(SpoolUnwritable):
            await spawn_many(s)
        await s.client.cancel(attempt, kill=True)
        ballast.unlink()
        record = await s.end_of(attempt)
        assert record.exit is not None
        assert record.exit.state == "cancelled"
        assert set(s.text(attempt)) == {0}
        assert whole_length(s.client.read_log(attempt, 0, 1 << 30)) == record.log_end


async def test_a_full_disk_is_tried_again_however_often_somebody_asks_until_then(small_disk: Path) -> None:
    async with supervised(small_disk) as s:
        ballast = small_disk / "ballast"
        ballast.write_bytes(bytes(MIB))
        attempt = await s.spawn(shell("head -c 4000000 /dev/zero; echo end"))
        pid = await s.pid_of(attempt)
        await stalled(s, attempt, MIB)
        await s.client.cancel(attempt, kill=True)
        await wait_until(lambda: not Path(f"/proc/{pid}").exists())
        drained = boottime() + DRAIN
        await wait_until(lambda: boottime() > drained)
        ballast.unlink()
        async with asyncio.timeout(20):
            while (await s.client.inventory())[0].state != "exited":
                pass


async def test_every_exit_has_its_room_on_a_full_disk(small_disk: Path, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    waiting = f"while [ ! -e {gate} ]; do sleep 0.1; done"
    async with supervised(small_disk) as s:
        attempts = [await s.spawn(shell(f"{waiting}; exit {n}")) for n in range(30)]
        for attempt in attempts:
            await s.pid_of(attempt)
        fill(small_disk / "ballast")
        gate.touch()
        for number, attempt in enumerate(attempts):
            ended = (await s.end_of(attempt)).exit
            assert ended is not None
            assert ended.exit_code == number


async def test_a_full_disk_keeps_no_link_away(small_disk: Path) -> None:
    async with supervised(small_disk) as s:
        attempt = await s.spawn(shell("sleep 300"))
        fill(small_disk / "ballast")
        os.kill(s.client.pid, 9)
        await wait_until(lambda: s.gone)
    async with supervised(small_disk) as s:
        (record,) = await s.client.inventory()
        assert (record.attempt, record.state) == (attempt, "unknown")
        (small_disk / "ballast").unlink()
        assert (await s.run(shell("true"))).state == "exited"


def fill(path: Path) -> None:
    """Write until nothing fits any more."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(4096)):
            pass
