"""PostgreSQL: one round trip for a hot write, psycopg through SQLAlchemy's asyncio pool."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from sqlalchemy import Connection, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from plumber_core.errors import MissingExtra, Unavailable
from plumber_core.storage.script import Script

Value = TypeVar("Value")
CHANNEL = "plumber"
TRANSIENT = {"40001", "40P01", "55P03"}
TRIES = 5
# A query on a black-holed connection hung for more than 60 s with libpq's defaults, 12 s with these.
CONNECT_ARGUMENTS: dict[str, Any] = {
    "connect_timeout": 3,
    "keepalives_idle": 2,
    "keepalives_interval": 1,
    "keepalives_count": 3,
    "tcp_user_timeout": 5000,
    "application_name": "plumber",
}
OPTIONS = "-c statement_timeout=10s -c idle_in_transaction_session_timeout=15s -c lock_timeout=5s -c jit=off"


class PostgresDatabase:
    """Implements ``storage.database.Database``."""

    dialect = "postgresql"

    def __init__(self, url: URL) -> None:
        try:
            import psycopg  # noqa: F401
        except ImportError as error:
            raise MissingExtra(feature="PostgreSQL", extra="postgres") from error
        url = url.set(drivername="postgresql+psycopg")
        arguments = CONNECT_ARGUMENTS | {"options": OPTIONS}
        # The connection used last is used next: its caches, here and in the database, are warm.
        shared: dict[str, Any] = {"connect_args": arguments, "pool_timeout": 5, "pool_use_lifo": True}
        self._engine = create_async_engine(url, pool_size=8, max_overflow=8, **shared)
        # Single-statement writes and reads need no BEGIN and COMMIT of their own; agents have this pool to
        # themselves, so that slow pages cannot starve them.
        # Nothing is ever left open there, so nothing has to be rolled back when a connection is returned.
        self._single: AsyncEngine = create_async_engine(
            url, pool_size=6, max_overflow=6, isolation_level="AUTOCOMMIT", pool_reset_on_return=None, **shared
        )
        from plumber_core.storage.dialects.hot_connections import HotConnections

        self._hot = HotConnections({**self._engine.dialect.create_connect_args(url)[1], **arguments})

    async def open(self) -> None:
        """Nothing to prepare: pools connect when first used."""

    async def close(self) -> None:
        """Close every connection."""
        await self._hot.close()
        await self._engine.dispose()
        await self._single.dispose()

    async def read(self, work: Callable[[Connection], Value]) -> Value:
        """Run ``work`` on a connection in autocommit: every statement sees what is committed."""
        return await self._again(self._single, work, repeat_lost=True)

    async def snapshot(self, work: Callable[[Connection], Value]) -> Value:
        """Run several reads that all see the same moment."""

        async def once() -> Value:
            async with self._engine.connect() as plain:
                connection = await plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with connection.begin():
                    return await connection.run_sync(work)

        return await _retried(once, repeat_lost=True)

    async def write(self, work: Callable[[Connection], Value]) -> Value:
        """Run ``work`` in one transaction; serialisation failures and deadlocks try again."""

        async def once() -> Value:
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)

        return await _retried(once, repeat_lost=False)

    async def hot(self, script: Script, parameters: dict[str, Any]) -> bool:
        """Carry out a guarded write as one statement."""
        return await _retried(lambda: self._hot_once(script, parameters), repeat_lost=False)

    async def _hot_once(self, script: Script, parameters: dict[str, Any]) -> bool:
        import psycopg

        try:
            return await self._hot.run(script, parameters)
        except psycopg.IntegrityError as error:
            raise IntegrityError(None, None, error) from error
        except (psycopg.OperationalError, psycopg.InterfaceError) as error:
            raise OperationalError(None, None, error) from error

    async def single(self, work: Callable[[Connection], Value]) -> Value:
        """Run ``work``, which is one writing statement, without a transaction block of its own."""
        return await self._again(self._single, work, repeat_lost=False)

    async def _again(self, engine: AsyncEngine, work: Callable[[Connection], Value], *, repeat_lost: bool) -> Value:
        async def once() -> Value:
            async with engine.connect() as connection:
                return await connection.run_sync(work)

        return await _retried(once, repeat_lost=repeat_lost)

    async def migrate(self, upgrade: Callable[[Connection], None]) -> None:
        """Run migrations under a lock that every starting server takes; the timeouts do not apply to them."""

        def locked(connection: Connection) -> None:
            connection.execute(text("SET LOCAL statement_timeout = 0"))
            connection.execute(text("SET LOCAL lock_timeout = '60s'"))
            connection.execute(text("SELECT pg_advisory_xact_lock(522810001)"))
            upgrade(connection)

        await self.write(locked)

    async def notify(self, payload: str) -> None:
        """Send a hint to the other replicas."""

        def send(connection: Connection) -> None:
            connection.execute(text("SELECT pg_notify(:channel, :payload)"), {"channel": CHANNEL, "payload": payload})

        await self.single(send)

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Hand other replicas' hints to ``heard`` until cancelled; reconnects, for a hint may be lost anyway."""
        while True:
            with contextlib.suppress(OperationalError, InterfaceError, Unavailable, OSError):
                await self._listen_once(heard)
            await asyncio.sleep(1.0)

    async def _listen_once(self, heard: Callable[[str], None]) -> None:
        import psycopg

        try:
            async with self._single.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                assert isinstance(raw, psycopg.AsyncConnection)
                await raw.execute(f"LISTEN {CHANNEL}")
                try:
                    async for notification in raw.notifies():
                        heard(notification.payload)
                finally:
                    await connection.invalidate()
        except psycopg.Error as error:
            raise Unavailable(reason=_first_line(error)) from error


async def _retried(once: Callable[[], Awaitable[Value]], *, repeat_lost: bool) -> Value:
    """Try again after a transient failure. A connection that died is tried again only for reads: whether a write
    was committed is then unknown, and the caller decides by reading its key."""
    for attempt in range(TRIES):
        try:
            return await once()
        except DBAPIError as error:
            state = getattr(error.orig, "sqlstate", None)
            lost = error.connection_invalidated or isinstance(error, InterfaceError)
            if attempt + 1 < TRIES and (state in TRANSIENT or (lost and repeat_lost)):
                await asyncio.sleep(0.005 * 2**attempt)
                continue
            if lost or isinstance(error, OperationalError) or state in TRANSIENT:
                raise Unavailable(reason=_first_line(error.orig or error)) from error
            raise
        except (TimeoutError, PoolTimeout) as error:
            raise Unavailable(reason="every database connection is busy") from error
    raise AssertionError("unreachable")


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
