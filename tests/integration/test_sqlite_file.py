"""The file of an SQLite database: one server, a local disk, a look at it after a crash, and a clock that goes on."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import StartupError
from plumber_core.storage.dialects.sqlite import DatabaseClock
from plumber_core.storage.dialects.sqlite_file import FileLock, file_system, refuse_network

MOUNTS = """\
22 1 259:1 / / rw,relatime shared:1 - ext4 /dev/root rw
30 22 0:40 / /srv/shared rw,relatime - nfs4 filer:/shared rw
31 22 0:41 / /srv/with\\040space rw - cifs //filer/x rw
32 22 259:2 / /srv/shared/local rw - xfs /dev/sdb rw
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/plumber.db", "ext4"),
        ("/srv/shared/plumber.db", "nfs4"),
        ("/srv/sharedness/plumber.db", "ext4"),
        ("/srv/with space/plumber.db", "cifs"),
        ("/srv/shared/local/plumber.db", "xfs"),
    ],
)
def test_a_network_file_system_is_refused(path: str, kind: str) -> None:
    assert file_system(Path(path), MOUNTS) == kind
    if kind in ("nfs4", "cifs"):
        with pytest.raises(StartupError, match="network file system"):
            refuse_network(Path(path), MOUNTS)
    else:
        refuse_network(Path(path), MOUNTS)


async def test_a_second_server_on_the_same_file_is_refused(sqlite_url: str) -> None:
    async with Plumber(sqlite_url, local_agent=False):
        with pytest.raises(StartupError, match="in use by another server"):
            async with Plumber(sqlite_url, local_agent=False):
                pass
    async with Plumber(sqlite_url, local_agent=False) as again:
        assert await again.ready()


def _damage(path: Path) -> None:
    """Overwrite the middle of an index, which SQLite notices only when it looks."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        page = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'ix_events_xid_id'").fetchone()[0]
        size = connection.execute("PRAGMA page_size").fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * size + 8)
        file.write(b"\xff" * 64)


@pytest.mark.parametrize("clean", [True, False])
async def test_a_damaged_file_is_found_after_a_crash(sqlite_url: str, tmp_path: Path, clean: bool) -> None:
    path = tmp_path / "plumber.db"
    async with Plumber(sqlite_url, local_agent=False) as plumber:
        await plumber.agents.create(name="a")
    lock = FileLock(path)
    assert not lock.was_left
    lock.release(clean=clean)
    lock = FileLock(path)
    assert lock.was_left is not clean
    lock.release(clean=clean)
    _damage(path)
    for _ in range(0 if clean else 2):
        with pytest.raises(StartupError, match="damaged"):
            async with Plumber(sqlite_url, local_agent=False):
                pass


async def test_the_clock_goes_on_from_what_was_stored_when_the_wall_is_behind(
    sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Plumber(sqlite_url, local_agent=False) as plumber:
        await plumber.agents.create(name="a")
        before = await plumber._store.now()
    monkeypatch.setattr("plumber_core.storage.dialects.sqlite.time.time_ns", lambda: 1_000_000_000)
    async with Plumber(sqlite_url, local_agent=False) as plumber:
        first = await plumber._store.now()
        await asyncio.sleep(0)
        assert before - 60_000_000 < first < await plumber._store.now()


def test_a_clock_neither_goes_back_nor_stands_still(monkeypatch: pytest.MonkeyPatch) -> None:
    wall, steady = [5_000_000_000], [0]
    monkeypatch.setattr("plumber_core.storage.dialects.sqlite.time.time_ns", lambda: wall[0])
    monkeypatch.setattr("plumber_core.storage.dialects.sqlite.time.monotonic_ns", lambda: steady[0])
    clock = DatabaseClock()
    assert clock.now() == 5_000_000
    wall[0], steady[0] = 1_000_000_000, 2_000_000_000
    assert clock.now() == 7_000_000
    wall[0], steady[0] = 9_000_000_000, 2_500_000_000
    assert clock.now() == 9_000_000
