"""SQLite: one writer thread, a few readers, durable commits.

``WAL`` with ``synchronous=FULL``: NORMAL can lose the last commits at a power loss. Every writing transaction starts
with ``BEGIN IMMEDIATE``: an upgrade from reading fails at once, whatever the busy timeout.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, PoolProxiedConnection, StaticPool, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from plumber_core.errors import BadDatabaseUrl, StartupError, Unavailable
from plumber_core.storage.script import Script

Value = TypeVar("Value")
MINIMUM = (3, 38, 0)
READERS = 3
FOREVER = 2**62


class DatabaseClock:
    """Wall time in microseconds that never goes back while the process lives."""

    def __init__(self) -> None:
        self._last = 0

    def now(self) -> int:
        """Return the time; SQLite calls this as ``plumber_now()``."""
        self._last = max(self._last, time.time_ns() // 1000)
        return self._last


class SqliteDatabase:
    """Implements ``storage.database.Database``."""

    dialect = "sqlite"

    def __init__(self, url: URL) -> None:
        if sqlite3.sqlite_version_info < MINIMUM:
            raise StartupError(reason=f"SQLite {sqlite3.sqlite_version} is too old, 3.38 or newer is needed")
        self.path = None if url.database in (None, "", ":memory:") else Path(str(url.database))
        self._clock = DatabaseClock()
        self._lock: int | None = None
        self._writer = ThreadPoolExecutor(1, "plumber-sqlite-writer")
        self._readers = self._writer if self.path is None else ThreadPoolExecutor(READERS, "plumber-sqlite-reader")
        self._engine: Engine | None = None
        self._read_engine: Engine | None = None
        self._hot: PoolProxiedConnection | None = None

    async def open(self) -> None:
        """Open the file, alone.

        Raises:
            BadDatabaseUrl: the file cannot be opened or is no database.
            StartupError: another server has it open.
        """
        if self.path is not None:
            self._take_lock(self.path)
        target = f"sqlite:///{self.path}" if self.path else "sqlite://"
        arguments = {"check_same_thread": False}
        pool: dict[str, Any] = {"poolclass": StaticPool} if self.path is None else {}
        self._engine = create_engine(target, connect_args=arguments, **pool)
        event.listen(self._engine, "connect", self._prepare)
        event.listen(self._engine, "begin", _begin_immediate)
        self._read_engine = self._engine
        if self.path is not None:
            self._read_engine = create_engine(target, connect_args=arguments, pool_size=READERS)
            event.listen(self._read_engine, "connect", self._prepare)
        try:
            await self.write(lambda connection: connection.exec_driver_sql("SELECT count(*) FROM sqlite_master"))
        except (Unavailable, DBAPIError) as error:
            raise BadDatabaseUrl(reason=f"{self.path}: {_first_line(error)}") from error

    def _take_lock(self, path: Path) -> None:
        try:
            descriptor = os.open(f"{path}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise BadDatabaseUrl(reason=f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise StartupError(reason=f"{path} is in use by another server; several servers need PostgreSQL") from error
        self._lock = descriptor

    def _prepare(self, raw: Any, _record: Any) -> None:
        raw.isolation_level = None
        for pragma in ("journal_mode=wal", "busy_timeout=5000", "foreign_keys=on", "synchronous=full"):
            raw.execute(f"PRAGMA {pragma}")
        raw.create_function("plumber_now", 0, self._clock.now)
        raw.create_function("plumber_xid", 0, lambda: 0)
        raw.create_function("plumber_visible", 0, lambda: FOREVER)

    async def close(self) -> None:
        """Finish what runs and close the file."""
        loop = asyncio.get_running_loop()
        if self._hot is not None:
            await loop.run_in_executor(self._writer, self._hot.close)
            self._hot = None
        for engine, thread in ((self._read_engine, self._readers), (self._engine, self._writer)):
            if engine is not None:
                await loop.run_in_executor(thread, engine.dispose)
        self._readers.shutdown()
        self._writer.shutdown()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    async def read(self, work: Callable[[Connection], Value]) -> Value:
        """Run ``work`` on a reader's connection."""
        return await self._in_thread(self._readers, self._read_engine, work, transaction=self.path is None)

    async def snapshot(self, work: Callable[[Connection], Value]) -> Value:
        """Run several reads that all see the same moment."""

        def consistent(connection: Connection) -> Value:
            if self.path is not None:
                connection.exec_driver_sql("BEGIN")
            try:
                return work(connection)
            finally:
                if self.path is not None:
                    connection.exec_driver_sql("ROLLBACK")

        return await self.read(consistent)

    async def write(self, work: Callable[[Connection], Value]) -> Value:
        """Run ``work`` in one transaction of the single writer."""
        return await self._in_thread(self._writer, self._engine, work, transaction=True)

    async def hot(self, script: Script, parameters: dict[str, Any]) -> bool:
        """Carry out a guarded write, past the engine: its share was as large as SQLite's own."""
        return await self._run(self._writer, lambda: _carry_out(self._raw(), script, parameters))

    def _raw(self) -> sqlite3.Connection:
        """Return the writer's connection for hot writes; the engine closes it."""
        if self._hot is None:
            assert self._engine is not None, "the database is not open"
            self._hot = self._engine.raw_connection()
        raw: Any = self._hot.driver_connection
        assert isinstance(raw, sqlite3.Connection)
        return raw

    single = write

    async def _in_thread(
        self,
        pool: ThreadPoolExecutor,
        engine: Engine | None,
        work: Callable[[Connection], Value],
        *,
        transaction: bool,
    ) -> Value:
        assert engine is not None, "the database is not open"

        def run() -> Value:
            with engine.begin() if transaction else engine.connect() as connection:
                return work(connection)

        return await self._run(pool, run)

    async def _run(self, pool: ThreadPoolExecutor, work: Callable[[], Value]) -> Value:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, work)
        except OperationalError as error:
            raise Unavailable(reason=_first_line(error.orig or error)) from error
        except RuntimeError as error:
            if "shutdown" in str(error):
                raise Unavailable(reason="the database is closed") from error
            raise

    async def migrate(self, upgrade: Callable[[Connection], None]) -> None:
        """Run migrations; the file's lock keeps others out."""
        await self.write(upgrade)

    async def notify(self, payload: str) -> None:
        """There are no other replicas."""

    async def listen(self, heard: Callable[[str], None]) -> None:
        """There is nobody to listen to."""


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _carry_out(raw: sqlite3.Connection, script: Script, parameters: dict[str, Any]) -> bool:
    guard, *writes = script.sqlite
    try:
        raw.execute("BEGIN IMMEDIATE")
        try:
            holds = raw.execute(guard, parameters).fetchone() is not None
            for write in writes if holds else ():
                raw.execute(write, parameters)
            raw.execute("COMMIT")
        except BaseException:
            raw.rollback()
            raise
    except sqlite3.IntegrityError as error:
        raise IntegrityError(None, None, error) from error
    except sqlite3.OperationalError as error:
        raise OperationalError(None, None, error) from error
    return holds


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
