"""The tests' own PostgreSQL: it starts for root and for ordinary users and leaves nothing behind."""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from support import pgfiles
from support.postgres import OwnServer, Server, fresh_database, running_server
from support.waiting import wait_until_sync

_HERE = Path(__file__).parent.parent

# The interpreter may lie where only root reads. Working once as root loads all that is needed later.
_AS_NOBODY = """
import os, pwd, sys
from support.postgres import main
import support.standby
main()
nobody = pwd.getpwnam("nobody")
os.setgroups([]); os.setgid(nobody.pw_gid); os.setuid(nobody.pw_uid)
support.standby.main()
sys.exit(main())
"""

_HANG = """
import sys
from support.postgres import OwnServer
server = OwnServer()
server.start()
print(server.folder, flush=True)
sys.stdin.read()
"""


def _python(code: str, folder: Path, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_HERE), "TMPDIR": str(folder), **more},
    )


@pytest.fixture
def shared_folder() -> Iterator[Path]:
    """A temporary folder as /tmp is: of a short name, and every user may make files in it."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o1777)
        yield Path(name)


def test_each_database_is_empty_and_dropped(postgres_server: Server) -> None:
    with fresh_database(postgres_server) as url, psycopg.connect(url) as connection:
        connection.execute("create table t (n int)")
    with fresh_database(postgres_server) as other, psycopg.connect(other) as connection:
        tables = connection.execute("select count(*) from pg_tables where schemaname = 'public'").fetchone()
    assert tables == (0,)
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_a_server_that_is_named_is_used_and_left_as_it_was(
    postgres_server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBER_TEST_DATABASE_URL", postgres_server.url())
    with running_server() as named, fresh_database(named) as url, psycopg.connect(url) as connection:
        row = connection.execute("SELECT current_setting('data_directory')").fetchone()
    with psycopg.connect(postgres_server.url()) as connection:
        assert connection.execute("SELECT current_setting('data_directory')").fetchone() == row


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_works_for_root_and_for_an_ordinary_user(shared_folder: Path) -> None:
    package = pgfiles.find_package()
    if not pgfiles.open_to_all(package):
        package = pgfiles.copy_package(package, shared_folder / "copy")
    process = _python(_AS_NOBODY, shared_folder, PLUMBER_TEST_PG_BIN=str(package / pgfiles.PROGRAMS))
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert [line.rpartition(" ")[2] for line in output.splitlines()] == [
        "0",
        "[(1,)]",
        str(pwd.getpwnam("nobody").pw_uid),
    ]
    assert not list(shared_folder.glob(f"{pgfiles.PREFIX}*"))


def test_programs_behind_a_closed_folder_are_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    package = pgfiles.copy_package(pgfiles.find_package(), closed)
    closed.chmod(0o700)
    monkeypatch.setattr(pgfiles, "find_package", lambda: package)
    server = OwnServer()
    try:
        server.start()
        with psycopg.connect(server.url()) as connection:
            assert connection.execute("select 1").fetchone() == (1,)
    finally:
        server.stop()


def test_a_killed_run_takes_its_server_along_and_the_next_removes_its_folder(shared_folder: Path) -> None:
    process = _python(_HANG, shared_folder)
    assert process.stdout is not None
    folder = Path(process.stdout.readline().strip())
    postmaster = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
    process.send_signal(signal.SIGKILL)
    process.communicate()
    wait_until_sync(lambda: _gone(postmaster), 10, "PostgreSQL to end with its parent")
    assert folder.parent == shared_folder
    pgfiles.remove_stale(shared_folder)
    assert not folder.exists()


def _gone(pid: int) -> bool:
    try:
        return " Z " in Path("/proc", str(pid), "stat").read_text()
    except OSError:
        return True
