"""The SQLite file is locked, full, on a failing disk, or its server is killed again and again."""

from __future__ import annotations

import contextlib
import os
import resource
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.api import attempt_of, show, start
from support.history import terminal_rows
from support.invariants import unchanged
from support.loads import Load
from support.programs import CallFailed
from support.waiting import wait_until_sync

KILLS = int(os.environ.get("PLUMBER_TEST_KILLS", "30"))


class FileLoad(Load):
    """A load on SQLite."""

    @property
    def file(self) -> Path:
        return Path(self.server.database_url.removeprefix("sqlite:///"))

    def check_file(self) -> None:
        """Have SQLite check the whole file."""
        with contextlib.closing(sqlite3.connect(self.file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


@pytest.fixture
def load(sqlite_url: str, start_load: Callable[..., Load]) -> FileLoad:
    found = start_load(sqlite_url, "one")
    return FileLoad(found.server, found.agents, found.witness)


@pytest.mark.row(51)
@pytest.mark.quick
def test_while_another_process_locks_the_file_writers_are_told_readers_go_on_and_nothing_is_lost(
    load: FileLoad,
) -> None:
    load.start()
    attempt_of(load.server, load.executions[0])
    with contextlib.closing(sqlite3.connect(load.file, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(CallFailed) as told:
            start(load.server, "true")
        assert told.value.code == "unavailable"
        written = other.execute("SELECT id, state FROM executions ORDER BY id").fetchall()
        assert [(one, show(load.server, one)["state"]) for one, _ in written] == written
        other.execute("ROLLBACK")
    load.prove()


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a few megabytes."""
    place = tmp_path / "small"
    place.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", str(place)]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("a disk of its own needs root")
    try:
        yield place
    finally:
        subprocess.run(["umount", "--lazy", str(place)], check=True)


@pytest.mark.row(52)
def test_on_a_full_disk_writers_are_told_and_with_room_again_everything_goes_on(
    small_disk: Path, start_load: Callable[..., Load]
) -> None:
    load = start_load(f"sqlite:///{small_disk / 'plumber.db'}", "one")
    load.start(seconds=1)
    attempt_of(load.server, load.executions[0])
    ballast = small_disk / "ballast"
    with contextlib.suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))
    wait_until_sync(load.refused, 60, "the server to say that it cannot write")
    assert show(load.server, load.executions[0])["state"] == "running"
    ballast.unlink()
    load.prove()


@pytest.mark.row(52)
def test_while_the_disk_refuses_every_write_writers_are_told_and_the_file_stays_whole(load: FileLoad) -> None:
    load.start(seconds=1)
    attempt_of(load.server, load.executions[0])
    pid = load.server.process.pid
    # The kernel lets no file of the server be written beyond this: an error of input and output.
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (1, resource.RLIM_INFINITY))
    wait_until_sync(load.refused, 60, "the server to say that it cannot write")
    assert show(load.server, load.executions[0])["state"] == "running"
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    load.prove()


@pytest.mark.row(53)
def test_the_server_is_killed_again_and_again_under_load(load: FileLoad) -> None:
    ended_rows: dict[str, tuple[object, ...]] = {}
    for _ in range(KILLS):
        load.start(2, seconds=0.05)
        load.wait_until_begun()
        load.server.process.kill()
        load.check_file()
        load.server.restart()
        now = terminal_rows(load.server.database_url)
        assert unchanged(ended_rows, now) == []
        ended_rows = now
    load.prove(120)
