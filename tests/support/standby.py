"""A PostgreSQL primary with a streaming standby, behind one address that stays the same across the failover.

Run this file to see it work: commits are acknowledged, the standby does not get them, is promoted, and they are gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from support.beside import Beside
from support.postgres import OwnServer
from support.waiting import wait_until_sync

# A walsender that a test has stopped must stay the one that the standby waits for; and what is acknowledged must be in
# the primary's log, so that nothing but the stall decides what is lost.
_PATIENT = {"wal_sender_timeout": "0", "wal_receiver_timeout": "0", "synchronous_commit": "on"}


class Standby(OwnServer):
    """A hot standby that streams from ``primary`` until it is promoted."""

    def __init__(self, primary: OwnServer) -> None:
        super().__init__(settings=_PATIENT)
        self._primary, self.password = primary, primary.password

    def _create(self, programs: Path) -> None:
        source = self._primary.url("postgres")
        command: list[str | Path] = [
            programs / "pg_basebackup",
            "-D",
            self.folder / "data",
            "-d",
            source,
            "-R",
            "-X",
            "stream",
        ]
        self._run([*command, "-c", "fast", "--no-sync"])

    def promote(self) -> None:
        """Make it the primary: a new timeline begins."""
        with psycopg.connect(self.url(), autocommit=True) as connection:
            connection.execute("SELECT pg_promote()")
        wait_until_sync(lambda: not in_recovery(self), 30, "the standby to be the primary")


Judge = Callable[[bytes, bool], bool]
"""Says whether bytes are passed on (True: to the client); otherwise the connection breaks."""


class Forwarder(Beside):
    """Takes TCP connections on a port of its own and passes them on to a unix socket that may change.

    Args:
        target: returns the path of the socket; asked for each new connection.
    """

    def __init__(self, target: Callable[[], Path]) -> None:
        super().__init__()
        self._target = target
        self.port = 0

    def through(self, url: str) -> str:
        """Return a database's address as it is reached this way."""
        parts = urlsplit(url)
        user = parts.netloc.partition("@")[0]
        return urlunsplit(parts._replace(netloc=f"{user}@127.0.0.1:{self.port}", query=""))

    async def _open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, family=socket.AF_INET)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(OSError, asyncio.CancelledError):
                await self._join(reader, writer)
        finally:
            writer.close()
            self._tasks.discard(task)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(str(self._target()))
        passes = self.judge()
        there = asyncio.create_task(self._copy(reader, far_writer, lambda data: passes(data, False)))
        here = asyncio.create_task(self._copy(far_reader, writer, lambda data: passes(data, True)))
        try:
            # Whoever hangs up ends both: half a connection is none.
            await asyncio.wait((there, here), return_when=asyncio.FIRST_COMPLETED)
        finally:
            # Before anything is awaited: a second cut may come meanwhile.
            far_writer.close()
            for task in (there, here):
                task.cancel()
            await asyncio.gather(there, here, return_exceptions=True)

    async def _copy(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, passes: Callable[[bytes], bool]
    ) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                if not passes(data):
                    return
                writer.write(data)
                await writer.drain()

    def judge(self) -> Judge:
        """Return who decides about a new connection's bytes."""
        return lambda data, back: True


class ReplicatedServer:
    """Primary, standby, and the address at which clients find whoever is the primary. A context manager.

    Args:
        forwarder: makes what listens at that address.
        settings: more of the primary's settings.
    """

    # Both have the same cluster, so a database made here is made there.
    copying = "STRATEGY FILE_COPY"

    def __init__(
        self,
        forwarder: Callable[[Callable[[], Path]], Forwarder] = Forwarder,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        self._stack = contextlib.ExitStack()
        self.primary = OwnServer(settings=_PATIENT | dict(settings or {}))
        self.standby = Standby(self.primary)
        self.forwarder = forwarder(lambda: self._current.socket)
        self._current: OwnServer = self.primary
        self._stalled: list[int] = []

    def __enter__(self) -> Self:
        with self._stack:
            for server in (self.primary, self.standby):
                self._stack.callback(server.stop)
                server.start()
            self._stack.callback(self._wake)
            self._stack.enter_context(self.forwarder)
            wait_until_sync(self._streams, 30, "the standby to stream")
            self._stack = self._stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database, the same before and after a failover."""
        return self.forwarder.through(self._current.url(database))

    @property
    def current(self) -> OwnServer:
        """Whoever is the primary now."""
        return self._current

    def _streams(self) -> bool:
        return bool(self._senders())

    def _senders(self) -> list[int]:
        with psycopg.connect(self.primary.url(), autocommit=True) as connection:
            return [pid for (pid,) in connection.execute("SELECT pid FROM pg_stat_replication").fetchall()]

    def caught_up(self) -> bool:
        """Say whether the standby has replayed everything that is committed now."""
        query = "SELECT count(*) FROM pg_stat_replication WHERE replay_lsn >= pg_current_wal_insert_lsn()"
        with psycopg.connect(self.primary.url(), autocommit=True) as connection:
            row = connection.execute(query).fetchone()
        return bool(row and row[0])

    def stall(self) -> None:
        """From now on the standby gets nothing: what is committed will be lost by ``fail_over``."""
        wait_until_sync(self.caught_up, 30, "the standby to catch up")
        self._stalled = self._senders()
        for pid in self._stalled:
            os.kill(pid, signal.SIGSTOP)

    def fail_over(self) -> None:
        """Have the primary crash and the standby take its place."""
        self.primary.crash(self._wake)
        self._current = self.standby
        self.forwarder.cut()
        self.standby.promote()

    def _wake(self) -> None:
        """End stopped processes, which hear nothing else."""
        for pid in self._stalled:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._stalled = []


def in_recovery(server: OwnServer) -> bool:
    """Say whether a server is a standby."""
    with psycopg.connect(server.url(), autocommit=True) as connection:
        row = connection.execute("SELECT pg_is_in_recovery()").fetchone()
    return bool(row and row[0])


@pytest.fixture
def replicated_server() -> Iterator[ReplicatedServer]:
    """A primary and its standby, of this test alone."""
    with ReplicatedServer() as server:
        yield server


def main() -> int:
    with ReplicatedServer() as server:
        with psycopg.connect(server.url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE t (n int)")
            connection.execute("INSERT INTO t VALUES (1)")
            server.stall()
            connection.execute("INSERT INTO t VALUES (2)")
        begun = time.monotonic()
        server.fail_over()
        with psycopg.connect(server.url()) as connection:
            rows = connection.execute("SELECT n FROM t").fetchall()
    sys.stdout.write(f"failover in {time.monotonic() - begun:.2f} s, rows that survived: {rows}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
