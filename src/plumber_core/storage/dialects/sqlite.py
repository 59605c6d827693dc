"""SQLite: one writer thread, a few readers, durable commits.

``WAL`` with ``synchronous=FULL``: NORMAL can lose the last commits at a power loss. Every writing transaction starts
with ``BEGIN IMMEDIATE``: an upgrade from reading fails at once, whatever the busy timeout.
"""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, Engine, PoolProxiedConnection, StaticPool, create_engine, event
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError

from plumber_core.errors import BadDatabaseUrl, PlumberError, StartupError, Unavailable
from plumber_core.reasons import because
from plumber_core.storage.dialects.driver_errors import first_line
from plumber_core.storage.dialects.gathering import Gathering, Write
from plumber_core.storage.dialects.sqlite_file import FileLock
from plumber_core.storage.guards import refusal
from plumber_core.storage.script import Script

Value = TypeVar("Value")
MINIMUM = (3, 38, 0)
READERS = 3
FOREVER = 2**62


class DatabaseClock:
    """Wall time in microseconds that never goes back and never stands still: when the wall's does, it counts itself."""

    def __init__(self) -> None:
        self._last = 0
        self._read_at = time.monotonic_ns()

    def now(self) -> int:
        """Return the time; SQLite calls this as ``plumber_now()``."""
        read_at = time.monotonic_ns()
        passed, self._read_at = (read_at - self._read_at) // 1000, read_at
        self._last = max(self._last + passed, time.time_ns() // 1000) if self._last else time.time_ns() // 1000
        return self._last

    def resume(self, last: int) -> None:
        """Go on from a time that was stored, if the wall's is behind it."""
        self._last = max(self._last, last)


class SqliteDatabase:
    """Implements ``storage.database.Database``."""

    dialect = "sqlite"

    def __init__(self, url: URL, clock: DatabaseClock | None = None) -> None:
        if sqlite3.sqlite_version_info < MINIMUM:
            raise StartupError(reason=f"SQLite {sqlite3.sqlite_version} is too old, 3.38 or newer is needed")
        self.path = None if url.database in (None, "", ":memory:") else Path(str(url.database))
        self.counts: Counter[str] = Counter()
        self._clock = clock or DatabaseClock()
        self._lock: FileLock | None = None
        self._sound = False
        self._writer = ThreadPoolExecutor(1, "plumber-sqlite-writer")
        self._readers = self._writer if self.path is None else ThreadPoolExecutor(READERS, "plumber-sqlite-reader")
        self._engine: Engine | None = None
        self._read_engine: Engine | None = None
        self._hot: PoolProxiedConnection | None = None
        self._gathering = Gathering(self._hot_alone, self._hot_together, 1)

    async def open(self) -> None:
        """Open the file, alone.

        Raises:
            BadDatabaseUrl: the file cannot be opened or is no database.
            StartupError: another server has it open.
        """
        if self.path is not None:
            self._lock = FileLock(self.path)
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
            await self.write(self._begin)
        except (Unavailable, DBAPIError) as error:
            raise BadDatabaseUrl(reason=f"{self.path}: {first_line(error)}") from error
        self._sound = True

    def _begin(self, connection: Connection) -> None:
        """Go on from where the last server stopped: its clock, and a look at the file if it did not stop by itself."""
        tables = connection.exec_driver_sql("SELECT count(*) FROM sqlite_master WHERE name = 'events'").scalar_one()
        if self._lock is not None and self._lock.was_left:
            found = connection.exec_driver_sql("PRAGMA integrity_check(1)").scalar_one()
            if found != "ok":
                raise StartupError(reason=f"{self.path} is damaged ({found}): restore a backup")
        if tables:
            last = connection.exec_driver_sql("SELECT at FROM events ORDER BY id DESC LIMIT 1").scalar_one_or_none()
            self._clock.resume(last or 0)

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
            self._lock.release(clean=self._sound)
            self._lock = None

    async def read(self, work: Callable[[Connection], Value]) -> Value:
        """Run ``work`` on a reader's connection."""
        return await self._in_thread(self._readers, self._read_engine, work, transaction=self.path is None)

    look = read

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
        return await self._gathering.run(Write(script, parameters))

    async def _hot_alone(self, write: Write) -> bool:
        [holds] = await self._run(self._writer, lambda: carry_out(self._raw(), [write]))
        return holds

    async def _hot_together(self, writes: Sequence[Write]) -> list[bool] | None:
        try:
            return await self._run(self._writer, lambda: carry_out(self._raw(), writes))
        except (DBAPIError, PlumberError):
            return None

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
            raise Unavailable(reason=first_line(error.orig or error)) from error
        except IntegrityError as error:
            raise refusal(error.orig or error, self.counts) or error from error
        except RuntimeError as error:
            if "shutdown" in str(error):
                raise Unavailable(reason=because("database_closed")) from error
            raise

    async def migrate(self, upgrade: Callable[[Connection], None]) -> None:
        """Run migrations; the file's lock keeps others out."""
        await self.write(upgrade)

    async def watch(self, on_epoch: Callable[[int], None]) -> None:
        """The file is locked while it is open, so nobody puts another one in its place."""

    async def notify(self, payload: str) -> None:
        """There are no other replicas."""

    async def listen(self, heard: Callable[[str], None]) -> None:
        """There is nobody to listen to."""


def _begin_immediate(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def carry_out(raw: sqlite3.Connection, writes: Sequence[Write]) -> list[bool]:
    """Carry out all writes in one transaction, or none."""
    try:
        raw.execute("BEGIN IMMEDIATE")
        try:
            held = [_guarded(raw, write) for write in writes]
            raw.execute("COMMIT")
        except BaseException:
            raw.rollback()
            raise
    except sqlite3.IntegrityError as error:
        raise IntegrityError(None, None, error) from error
    except sqlite3.OperationalError as error:
        raise OperationalError(None, None, error) from error
    return held


def _guarded(raw: sqlite3.Connection, write: Write) -> bool:
    guard, *statements = write.script.sqlite
    holds = raw.execute(guard, write.parameters).fetchone() is not None
    for statement in statements if holds else ():
        raw.execute(statement, write.parameters)
    return holds
