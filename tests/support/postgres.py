"""A real PostgreSQL for tests, started in half a second by whoever runs them, root included.

Run this file to see it work: it starts a server, prints its version and leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, urlsplit, urlunsplit

import psutil
import psycopg

from support.pgfiles import Owner, data_place, found_programs, make_folder, temporary_place
from support.waiting import wait_until_sync

_SETTINGS = {"max_connections": "200", "shared_buffers": "64MB", "listen_addresses": ""}
# Tests may lose their data with the machine, so nothing has to reach the disk.
_CARELESS = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
_PR_SET_PDEATHSIG = 1


class Server(Protocol):
    """A PostgreSQL in which databases can be made; ``copying`` ends its CREATE DATABASE statements."""

    copying: str

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database, as libpq writes it."""
        ...


class GivenServer:
    """The server that ``PLUMBER_TEST_DATABASE_URL`` names; its user must be allowed to create databases."""

    copying = ""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)

    def url(self, database: str = "postgres") -> str:
        return urlunsplit(self._parts._replace(path=f"/{database}"))


class OwnServer:
    """A server of our own on a socket in a temporary folder.

    Args:
        durable: with PostgreSQL's own settings and the temporary files' disk, for measurements; else as fast as
            tests like it.
        settings: more of PostgreSQL's settings.
        place: the folder for its data, on a disk of the test's choice.
    """

    # 10 ms for a database: the default writes every page into the log. PostgreSQL 14 lacks the clause.
    copying = "STRATEGY FILE_COPY"

    def __init__(
        self,
        *,
        durable: bool = False,
        settings: Mapping[str, str] | None = None,
        place: Path | None = None,
    ) -> None:
        self._owner = Owner.choose()
        self._settings = (_SETTINGS if durable else _SETTINGS | _CARELESS) | dict(settings or {})
        self.env = dict(os.environ)
        """Its processes', from the next start on."""
        usual = temporary_place(self._owner) if durable else data_place(self._owner)
        self.folder = make_folder(place or usual, self._owner)
        self._opened = contextlib.ExitStack()
        self.password = secrets.token_hex(12)
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://plumber:{self.password}@/{database}?host={quote(str(self.folder), safe='')}"

    def start(self) -> None:
        """Create the cluster and wait until it answers."""
        programs = self._opened.enter_context(found_programs(self._owner))
        self._create(programs)
        self._command = [programs / "postgres", "-D", self.folder / "data", "-k", self.folder, *self._arguments()]
        self._launch()

    def _arguments(self) -> list[str]:
        return [f"--{name}={value}" for name, value in self._settings.items()]

    def _launch(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=self.env,
                preexec_fn=_die_with_parent,
                **self._owner.options(),
            )
        wait_until_sync(self._answers, 30, "PostgreSQL to start")

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self.folder / ".s.PGSQL.5432"

    def crash(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """End the server as a crash would; nothing is lost that it had written.

        Args:
            meanwhile: called when it has begun to end and takes no connection any more.
        """
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            meanwhile()
            self._process.wait(30)

    @property
    def runs(self) -> bool:
        """Whether its first process lives."""
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """Kill its first process, and wait until the others have noticed and ended too."""
        assert self._process is not None
        others = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()
        self._process.wait(30)
        psutil.wait_procs(others, 30)

    def restart(self) -> None:
        """Start again, after an orderly end if it runs, and wait until it answers."""
        assert self._process is not None
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(30)
        self._launch()

    def stop(self) -> None:
        """End the server and remove its folder."""
        self.crash()
        self._opened.close()
        shutil.rmtree(self.folder)

    def _create(self, programs: Path) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password)
        self._owner.own(secret)
        command: list[str | Path] = [
            programs / "initdb",
            "-D",
            self.folder / "data",
            "-U",
            "plumber",
            "--auth=scram-sha-256",
        ]
        self._run([*command, f"--pwfile={secret}", "-E", "UTF8", "--locale=C", "--no-sync"])

    def _run(self, command: Sequence[str | Path]) -> None:
        done = subprocess.run(command, capture_output=True, text=True, cwd="/", check=False, **self._owner.options())
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")

    def _answers(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise RuntimeError(f"PostgreSQL ended:\n{(self.folder / 'log').read_text()}")
        try:
            psycopg.connect(self.url()).close()
        except psycopg.OperationalError:
            return False
        return True


def _die_with_parent() -> None:
    # A killed test run takes its PostgreSQL along; the next run removes the folder.
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGQUIT)


@contextlib.contextmanager
def running_server(*, durable: bool = False) -> Iterator[Server]:
    """Yield the server given by ``PLUMBER_TEST_DATABASE_URL``, else one of our own (see ``OwnServer``)."""
    if given := os.environ.get("PLUMBER_TEST_DATABASE_URL"):
        yield GivenServer(given)
        return
    server = OwnServer(durable=durable)
    try:
        server.start()
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def fresh_database(server: Server, template: str = "template0") -> Iterator[str]:
    """Yield the address of a new database, a copy of ``template``, and drop it afterwards."""
    name = f"plumber_test_{secrets.token_hex(6)}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE {template} {server.copying}")
    try:
        yield server.url(name)
    finally:
        execute(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def execute(server: Server, statement: str) -> None:
    """Run one statement in the server's maintenance database."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute(statement.encode())


def main() -> int:
    with running_server() as server, fresh_database(server) as url, psycopg.connect(url) as connection:
        row = connection.execute("show server_version").fetchone()
    sys.stdout.write(f"PostgreSQL {row and row[0]} as uid {os.geteuid()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
