"""PostgreSQL: one round trip for a hot write, psycopg through SQLAlchemy's asyncio pool."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import Connection, event, text
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, DisconnectionError, IntegrityError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from plumber_core.crash import crash_point
from plumber_core.errors import MissingExtra, Unavailable
from plumber_core.reasons import because
from plumber_core.storage.dialects.driver_errors import first_line
from plumber_core.storage.dialects.gathering import Gathering, Write
from plumber_core.storage.dialects.identity import IDENTITY, STANDBY, raise_epoch
from plumber_core.storage.guards import refusal
from plumber_core.storage.script import Script

Value = TypeVar("Value")
CHANNEL = "plumber"
TRANSIENT = {"40001", "40P01"}
LOCK_TIMEOUT = "55P03"
UNAVAILABLE = {*TRANSIENT, LOCK_TIMEOUT, "25006"}
"""The last is said by a server that is no primary any more."""
UNDONE = ("22", "23", "40", "42", "54", "55", "57014", "P0")
"""Begins of codes with which PostgreSQL answers a statement that failed, so that its transaction was rolled back. After
others, those of a server that goes away among them, nobody knows."""
TRIES = 5
PEOPLE_WAIT, AGENTS_WAIT = 0.9, 5.0
"""Seconds to wait for a connection while all are taken: people are soon told to come again."""
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
        from plumber_core.storage.dialects.hot_connections import SIZE, HotConnections
        from plumber_core.storage.dialects.libpq import connected

        self.counts: Counter[str] = Counter()
        url = url.set(drivername="postgresql+psycopg")
        arguments = CONNECT_ARGUMENTS | {"options": OPTIONS}
        # The connection used last is used next: its caches, here and in the database, are warm.
        made = {"connect_args": arguments | {"async_creator_fn": connected}}
        shared: dict[str, Any] = {**made, "pool_use_lifo": True}
        self._engine = create_async_engine(url, pool_size=8, max_overflow=8, pool_timeout=AGENTS_WAIT, **shared)
        # Single-statement writes and reads need no BEGIN and COMMIT of their own; agents have this pool to
        # themselves, so that slow pages cannot starve them.
        # Nothing is ever left open there, so nothing has to be rolled back when a connection is returned.
        single = {"isolation_level": "AUTOCOMMIT", "pool_reset_on_return": None, "pool_timeout": AGENTS_WAIT, **shared}
        self._single: AsyncEngine = create_async_engine(url, pool_size=6, max_overflow=6, **single)
        # Whoever looks at pages waits for others who do, never an agent for them.
        self._pages = create_async_engine(url, pool_size=4, max_overflow=4, pool_timeout=PEOPLE_WAIT, **shared)
        self._hot = HotConnections({**self._engine.dialect.create_connect_args(url)[1], **arguments}, self._same)
        self._identity: str | None = None
        self._on_epoch: Callable[[int], None] = lambda epoch: None
        for pool in (self._engine.sync_engine, self._single.sync_engine, self._pages.sync_engine):
            event.listen(pool, "connect", self._greeted)
            event.listen(pool, "checkout", self._checked_out)
        self._gathering = Gathering(self._hot_alone, self._hot_together, SIZE)

    async def open(self) -> None:
        """Nothing to prepare: pools connect when first used."""

    async def watch(self, on_epoch: Callable[[int], None]) -> None:
        """From now on look at each new connection whether it leads to another database; tell its epoch now and then.

        What has been connected before is connected again, so that nothing was left out.
        """
        self._on_epoch = on_epoch
        self._identity = ""
        await self.read(lambda connection: None)

    def _greeted(self, raw: Any, record: Any) -> None:
        """Look at a new connection, before anything is done with it."""
        cursor = raw.cursor()
        try:
            cursor.execute(IDENTITY)
            record.info["identity"] = self._recognised(raw, cursor)
        except BaseException:
            raw.close()
            raise
        finally:
            cursor.close()
        raw.commit()

    def _recognised(self, raw: Any, cursor: Any) -> str | None:
        identity: str | None = cursor.fetchone()[0]
        if identity is None:
            raise Unavailable(reason=STANDBY)
        if self._identity is None or identity == self._identity:
            return self._identity
        epoch = raise_epoch(cursor, identity)
        raw.commit()
        crash_point("server.epoch.after_commit")
        self._identity = identity
        self._on_epoch(epoch)
        return identity

    def _checked_out(self, raw: Any, record: Any, _: Any) -> None:
        """Connections to the database of before are not used any more, should they still live."""
        if record.info.get("identity") != self._identity:
            raise DisconnectionError("it leads to the database of before")

    async def _same(self, identity: str | None) -> bool:
        """Say whether a hot connection leads to the database that the others lead to; find out which that is."""
        if self._identity is None:
            # Nobody watches, and every primary is as good as another.
            return identity is not None
        if identity is not None and identity != self._identity:
            await self._engine.dispose()
            await self.write(lambda connection: None)
        return identity is not None and identity == self._identity

    async def close(self) -> None:
        """Close every connection."""
        await self._hot.close()
        await self._engine.dispose()
        await self._single.dispose()
        await self._pages.dispose()

    async def read(self, work: Callable[[Connection], Value]) -> Value:
        """Run ``work`` on a connection in autocommit: every statement sees what is committed."""
        return await self._again(self._single, work, repeat_lost=True)

    async def look(self, work: Callable[[Connection], Value]) -> Value:
        """Do what ``read`` does for somebody who looks at a page: slow ones have few connections to take."""

        async def once() -> Value:
            async with self._pages.connect() as plain:
                connection = await plain.execution_options(isolation_level="AUTOCOMMIT")
                return await connection.run_sync(work)

        return await self._retried(once, repeat_lost=True)

    async def snapshot(self, work: Callable[[Connection], Value]) -> Value:
        """Run several reads that all see the same moment."""

        async def once() -> Value:
            async with self._pages.connect() as plain:
                connection = await plain.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
                async with connection.begin():
                    return await connection.run_sync(work)

        return await self._retried(once, repeat_lost=True)

    async def write(self, work: Callable[[Connection], Value]) -> Value:
        """Run ``work`` in one transaction; serialisation failures and deadlocks try again."""

        async def once() -> Value:
            async with self._engine.begin() as connection:
                return await connection.run_sync(work)

        return await self._retried(once, repeat_lost=False)

    async def hot(self, script: Script, parameters: dict[str, Any]) -> bool:
        """Carry out a guarded write as one statement, with others in one transaction while there is much to do."""
        return await self._gathering.run(Write(script, parameters))

    async def _hot_alone(self, write: Write) -> bool:
        [holds] = await self._retried(lambda: self._hot_once(write), repeat_lost=False)
        return holds

    async def _hot_together(self, writes: Sequence[Write]) -> list[bool] | None:
        try:
            return await self._hot_once(*writes)
        except DBAPIError as error:
            state = str(getattr(error.orig, "sqlstate", None))
            if state.startswith(UNDONE):
                # Each of them is tried again by itself.
                self.counts["plumber_database_retries_total"] += state in TRANSIENT
                return None
            raise self._explained(error, unavailable=True) from error

    async def _hot_once(self, *writes: Write) -> list[bool]:
        import psycopg

        try:
            return await self._hot.run(*writes)
        except psycopg.IntegrityError as error:
            raise IntegrityError(None, None, error) from error
        except (psycopg.OperationalError, psycopg.InterfaceError, psycopg.errors.ReadOnlySqlTransaction) as error:
            raise OperationalError(None, None, error) from error

    async def single(self, work: Callable[[Connection], Value]) -> Value:
        """Run ``work``, which is one writing statement, without a transaction block of its own."""
        return await self._again(self._single, work, repeat_lost=False)

    async def _again(self, engine: AsyncEngine, work: Callable[[Connection], Value], *, repeat_lost: bool) -> Value:
        async def once() -> Value:
            async with engine.connect() as connection:
                return await connection.run_sync(work)

        return await self._retried(once, repeat_lost=repeat_lost)

    async def _retried(self, once: Callable[[], Awaitable[Value]], *, repeat_lost: bool) -> Value:
        """Try again after a transient failure. A connection that died is tried again only for reads: whether a write
        was committed is then unknown, and the caller decides by reading its key."""
        for attempt in range(TRIES):
            try:
                return await once()
            except DBAPIError as error:
                state = getattr(error.orig, "sqlstate", None)
                lost = error.connection_invalidated or isinstance(error, InterfaceError)
                if attempt + 1 < TRIES and (state in TRANSIENT or (lost and repeat_lost)):
                    self.counts["plumber_database_retries_total"] += 1
                    # Two that collided must not meet again.
                    await asyncio.sleep(0.005 * 2**attempt * random.uniform(0.5, 1.5))
                    continue
                self.counts["plumber_database_lock_timeouts_total"] += state == LOCK_TIMEOUT
                raise self._explained(error, unavailable=lost or state in UNAVAILABLE) from error
            except (TimeoutError, PoolTimeout) as error:
                raise Unavailable(reason=because("connections_busy")) from error
        raise AssertionError("unreachable")

    def _explained(self, error: DBAPIError, *, unavailable: bool) -> Exception:
        if (refused := refusal(error.orig or error, self.counts)) is not None:
            return refused
        if unavailable or isinstance(error, OperationalError):
            return Unavailable(reason=first_line(error.orig or error))
        return error

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

        from plumber_core.storage.dialects.listening import hear

        try:
            async with self._single.connect() as connection:
                raw = (await connection.get_raw_connection()).driver_connection
                assert isinstance(raw, psycopg.AsyncConnection)
                await raw.execute(f"LISTEN {CHANNEL}")
                try:
                    await hear(raw, heard)
                finally:
                    await connection.invalidate()
        except psycopg.Error as error:
            raise Unavailable(reason=first_line(error)) from error
