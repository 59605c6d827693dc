"""PostgreSQL connections for hot writes alone: prepared statements, one round trip, nothing around them.

Measured: through an engine's pool and ``text()`` a hot write took twice as long as the statement itself.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus
from psycopg.types.numeric import Int8Dumper

from plumber_core.storage.script import Script

SIZE = 8
BUSY = 5.0
"""Seconds to wait for a free connection."""
OPTIONS = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
"""Planning such a statement takes longer than running it, so it is planned once, perhaps while the tables are empty:
without the second setting reports went on reading all steps that there are. Every row is found by its key."""

Link = psycopg.AsyncConnection[tuple[Any, ...]]


class HotConnections:
    """At most ``SIZE`` connections in autocommit, made when first needed; the one used last is used next."""

    def __init__(self, arguments: Mapping[str, Any]) -> None:
        self._arguments = {**arguments, "options": f"{arguments.get('options', '')} {OPTIONS}"}
        self._idle: list[Link] = []
        self._turns = asyncio.Semaphore(SIZE)

    async def run(self, script: Script, parameters: Mapping[str, Any]) -> bool:
        """Carry out a script in one statement and say whether its guard held.

        Raises:
            psycopg.Error: it failed; when the connection died nobody knows whether it was committed.
            TimeoutError: every connection is busy.
        """
        sql, names = script.postgresql
        values = [parameters[name] for name in names]
        async with asyncio.timeout(BUSY) if self._turns.locked() else _at_once:
            await self._turns.acquire()
        try:
            return await self._run(sql, values)
        finally:
            self._turns.release()

    async def _run(self, sql: bytes, values: list[Any]) -> bool:
        link = self._idle.pop() if self._idle else await self._connect()
        try:
            row = await (await link.execute(sql, values, prepare=True)).fetchone()
        finally:
            await self._put_back(link)
        return row is not None and bool(row[0])

    async def _connect(self) -> Link:
        link = await psycopg.AsyncConnection.connect(
            **self._arguments, autocommit=True, cursor_factory=psycopg.AsyncRawCursor
        )
        # One type for every number: by default each size of it would be another prepared statement.
        link.adapters.register_dumper(int, Int8Dumper)
        return link

    async def _put_back(self, link: Link) -> None:
        if link.info.transaction_status is TransactionStatus.IDLE:
            self._idle.append(link)
            return
        if link.broken:
            # The others have probably lost the same server.
            await self.close()
        await link.close()

    async def close(self) -> None:
        """Close what is idle; may be called at any time."""
        idle, self._idle = self._idle, []
        for link in idle:
            await link.close()


class _AtOnce:
    async def __aenter__(self) -> None: ...
    async def __aexit__(self, *_: object) -> None: ...


_at_once = _AtOnce()
