"""What PostgreSQL lives on goes wrong: its disk is full, its clock jumps."""

from __future__ import annotations

import contextlib
import itertools
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.api import ended, metrics, show, start
from support.faulty import HASTY
from support.loads import Load
from support.postgres import OwnServer, fresh_database
from support.waiting import wait_until_sync

MIB = 1024 * 1024
KEEPS_COMMITS = {"synchronous_commit": "on", "full_page_writes": "on"}
FAKETIME = sorted(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
HOUR = 3600


@contextlib.contextmanager
def running(server: OwnServer) -> Iterator[OwnServer]:
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def small_disk() -> Iterator[Path]:
    """A disk of 160 MB; skips the test where none can be mounted."""
    # Not below the test's own folder: its path is too long for PostgreSQL's socket, and not open to its user.
    folder = Path(f"/tmp/plumber-disk-{os.getpid()}")
    folder.mkdir(mode=0o755)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m", "none", folder], check=False, capture_output=True
    )
    try:
        if mounted.returncode:
            pytest.skip("a file system cannot be mounted here: that needs root")
        folder.chmod(0o755)
        yield folder
    finally:
        if not mounted.returncode:
            subprocess.run(["umount", "-l", folder], check=True)
        folder.rmdir()


@pytest.mark.row(50)
def test_with_no_space_left_for_postgresql_callers_are_told_and_agents_keep_everything(
    small_disk: Path, start_load: Callable[..., Load]
) -> None:
    settings = KEEPS_COMMITS | {"wal_keep_size": "0", "min_wal_size": "32MB", "max_wal_size": "32MB"}
    with running(OwnServer(settings=settings, place=small_disk)) as postgres, fresh_database(postgres) as url:
        load = start_load(url, "one", "two")
        load.start(4, steps=6, seconds=1)
        load.wait_until_begun()
        ballast = fill(small_disk)
        wait_until_sync(load.refused, 120, "the server to say that it cannot write")
        assert show_or_none(load, load.executions[0]) in ("running", None)
        before = len(load.witness.runs())
        ballast.unlink()
        # A log without room ends PostgreSQL, and whoever looks after it starts it again.
        if not postgres.runs:
            postgres.restart()
        wait_until_sync(lambda: not load.refused(), 60, "the server to write again")
        assert len(load.prove().runs) > before
        load.server.process.kill()


def fill(folder: Path) -> Path:
    """Fill a disk to its last byte."""
    ballast = folder / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(MIB)):
            pass
    with ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while file.write(bytes(512)):
            pass
    return ballast


def show_or_none(load: Load, execution: str) -> str | None:
    """Return the state that the server shows; None while it can show nothing."""
    with contextlib.suppress(AssertionError):
        return str(show(load.server, execution)["state"])
    return None


@pytest.mark.row(65)
@pytest.mark.skipif(not FAKETIME, reason="not installed: faketime (tools/lab.sh)")
@pytest.mark.parametrize("hours", [1, -1])
def test_when_the_databases_clock_jumps_by_an_hour_nothing_expires(hours: int, start_load: Callable[..., Load]) -> None:
    with running(OwnServer(settings=KEEPS_COMMITS)) as postgres, fresh_database(postgres) as url:
        turn = give_a_clock(postgres)
        load = start_load(url, "one", "two", **HASTY)
        load.server.call("agent.create", name="away")
        waiting = start(load.server, "true", on="away", queue_timeout="30m", timeout="45m")
        load.start(2, steps=2, seconds=15)
        load.wait_until_begun(2)
        turn(hours * HOUR)
        wait_until_sync(lambda: metrics(load.server).get("plumber_clock_jumps_total") == 1, 60, "the jump to be seen")
        for execution in load.executions:
            assert {step["state"] for step in ended(load.server, execution, 90)["steps"]} == {"succeeded"}
        assert show(load.server, waiting)["steps"][0]["state"] == "ready"
        assert metrics(load.server)["plumber_clock_jumps_total"] == 1
        history = load.history()
        assert sorted(len(run.begun) for run in history.runs.values()) == [1] * load.steps
        assert {"lost", "expired", "timed_out"}.isdisjoint(itertools.chain(*history.moves.values()))
        load.server.process.kill()


def give_a_clock(postgres: OwnServer) -> Callable[[int], None]:
    """Start PostgreSQL anew with a clock that can be turned, and return what turns it by so many seconds."""
    file = postgres.folder / "shift"
    file.write_text("+0s\n")
    postgres.env |= {
        "LD_PRELOAD": str(FAKETIME[0]),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    postgres.restart()

    def turn(seconds: int) -> None:
        next_one = file.with_suffix(".next")
        next_one.write_text(f"{seconds:+d}s\n")
        next_one.replace(file)

    return turn
