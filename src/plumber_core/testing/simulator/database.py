"""One SQLite in memory that several simulated servers share, run in one thread, with the times when it goes wrong."""

from __future__ import annotations

import asyncio
import functools
import sqlite3
from collections import Counter, deque
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, StaticPool, create_engine
from sqlalchemy.exc import DBAPIError, OperationalError

from plumber_core.errors import PlumberError, Unavailable
from plumber_core.storage.dialects.gathering import Gathering, Write
from plumber_core.storage.dialects.sqlite import FOREVER, carry_out
from plumber_core.storage.migrate import upgrade
from plumber_core.storage.script import Script
from plumber_core.testing.simulator.faults import Faults
from plumber_core.testing.simulator.loop import Process, VirtualLoop, check_alive

Value = TypeVar("Value")
BEGAN = 1_800_000_000_000_000
"""Microseconds: when the simulated databases begin."""
KEPT = 40
"""Snapshots, one each half second."""
_REBORN = """UPDATE meta SET epoch = max(epoch + 1, plumber_now() / 1000),
  known_until = COALESCE((SELECT at FROM events ORDER BY id DESC LIMIT 1), created_at)"""
"""What the first connection to a new primary does, see ``storage/dialects/identity.py``."""


class SharedDatabase:
    """The database itself. Every piece of work is one serialisable transaction."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.jumped = 0.0
        self._last = 0
        self.raw, self._connection = _connections()
        self.raw.rollback()
        _template().backup(self.raw)
        self.raw.execute("PRAGMA foreign_keys=on")
        self.raw.create_function("plumber_now", 0, self.now)
        self._snapshots: deque[tuple[float, sqlite3.Connection]] = deque(maxlen=KEPT)
        self.rolled_back = 0
        self.reborn_at = 0.0
        self.away = False
        self.listeners: list[Callable[[str], None]] = []

    def now(self) -> int:
        """Return the database's time, which never goes back."""
        self._last = max(self._last, BEGAN + int((self._loop.time() + self.jumped) * 1_000_000))
        return self._last

    def run(self, work: Callable[[Connection], Value]) -> Value:
        """Run work in one transaction."""
        try:
            # Not by an event of SQLAlchemy's: that took longer than the transaction itself.
            self.raw.execute("BEGIN IMMEDIATE")
            try:
                value = work(self._connection)
            except BaseException:
                self._connection.rollback()
                self.raw.rollback()
                raise
            self._connection.commit()
            self.raw.commit()
            return value
        except OperationalError as error:
            raise Unavailable(reason=str(error)) from error

    def run_writes(self, writes: Sequence[Write]) -> list[bool]:
        """Carry out guarded writes together."""
        return carry_out(self.raw, writes)

    def snapshot(self) -> None:
        """Keep what is there now."""
        kept = sqlite3.connect(":memory:")
        self.raw.backup(kept)
        self._snapshots.append((self._loop.time(), kept))

    def roll_back(self, seconds: float) -> bool:
        """Lose the last seconds, as a failover to a standby that lagged does."""
        wanted = [data for at, data in self._snapshots if at <= self._loop.time() - seconds]
        if not wanted:
            return False
        wanted[-1].backup(self.raw)
        self._snapshots.clear()
        self.rolled_back += 1
        self.reborn_at = self._loop.time()
        self.raw.execute(_REBORN)
        return True

    def epoch(self) -> int:
        """Return the database's epoch."""
        return int(self.raw.execute("SELECT epoch FROM meta").fetchone()[0])

    def rows(self, sql: str, *parameters: Any) -> list[Any]:
        """Look into it, past everybody."""
        return self.raw.execute(sql, parameters).fetchall()


@functools.cache
def _connections() -> tuple[sqlite3.Connection, Connection]:
    """Return this process' one database, which every seed fills anew: its statements stay compiled."""
    raw = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None, cached_statements=500)
    raw.create_function("plumber_xid", 0, lambda: 0)
    raw.create_function("plumber_visible", 0, lambda: FOREVER)
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool, query_cache_size=2000)
    return raw, engine.connect()


@functools.cache
def _template() -> sqlite3.Connection:
    """Return a database of this release's schema."""
    raw = sqlite3.connect(":memory:", check_same_thread=False)
    raw.create_function("plumber_now", 0, lambda: BEGAN)
    engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)
    with engine.begin() as connection:
        upgrade(connection)
    return raw


class ServerDatabase:
    """Implements ``storage.database.Database`` for one server process: takes time, and may fail or lose an answer."""

    dialect = "sqlite"

    def __init__(self, shared: SharedDatabase, process: Process, faults: Faults) -> None:
        self._shared, self._process, self._faults = shared, process, faults
        self._rolled_back = shared.rolled_back
        self._on_epoch: Callable[[int], None] = lambda epoch: None
        self.counts: Counter[str] = Counter()
        self._gathering = Gathering(self._alone, self._together, 1)

    async def open(self) -> None:
        """It is there."""

    async def close(self) -> None:
        """It stays."""

    async def read(self, work: Callable[[Connection], Value]) -> Value:
        await self._reach()
        return self._shared.run(work)

    look = snapshot = read

    async def write(self, work: Callable[[Connection], Value]) -> Value:
        await self._reach()
        value = self._shared.run(work)
        await self._committed()
        return value

    single = write

    async def hot(self, script: Script, parameters: dict[str, Any]) -> bool:
        return await self._gathering.run(Write(script, parameters))

    async def _alone(self, write: Write) -> bool:
        await self._reach()
        [held] = self._shared.run_writes([write])
        await self._committed()
        return held

    async def _together(self, writes: Sequence[Write]) -> list[bool] | None:
        try:
            await self._reach()
            held = self._shared.run_writes(writes)
        except (DBAPIError, PlumberError):
            return None
        await self._committed()
        return held

    async def _reach(self) -> None:
        check_alive()
        await asyncio.sleep(self._faults.database_delay())
        check_alive()
        if self._shared.away:
            raise Unavailable(reason="the database is away")
        if self._rolled_back != self._shared.rolled_back:
            # Every connection broke at the failover, and a new one is looked at before it is used.
            self._rolled_back = self._shared.rolled_back
            self._on_epoch(self._shared.epoch())

    async def _committed(self) -> None:
        await asyncio.sleep(self._faults.database_delay())
        if self._faults.happens("commit_unknown"):
            raise Unavailable(reason="the connection died in the commit")

    async def migrate(self, upgrade: Callable[[Connection], None]) -> None:
        """It is of this release."""

    async def watch(self, on_epoch: Callable[[int], None]) -> None:
        self._on_epoch = on_epoch

    async def notify(self, payload: str) -> None:
        for heard in list(self._shared.listeners):
            if not self._faults.happens("drop"):
                self._process.loop.call_later(self._faults.network_delay(), heard, payload)

    async def listen(self, heard: Callable[[str], None]) -> None:
        def hear(payload: str) -> None:
            self._process.call_soon(heard, payload)

        self._shared.listeners.append(hear)
