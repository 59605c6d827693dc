"""PostgreSQL connections for hot writes alone: prepared statements, one round trip, nothing around them.

Measured: through an engine's pool and ``text()`` a hot write took twice as long as the statement itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import psycopg

from plumber_core.storage.dialects.gathering import Write
from plumber_core.storage.dialects.hot_link import HotLink
from plumber_core.storage.dialects.identity import IDENTITY, STANDBY
from plumber_core.storage.dialects.libpq import connected

SIZE = 8
"""So many are used at a time."""
OPTIONS = "-c plan_cache_mode=force_generic_plan -c enable_seqscan=off"
"""Planning such a statement takes longer than running it, so it is planned once, perhaps while the tables are empty:
without the second setting reports went on reading all steps that there are. Every row is found by its key."""


class HotConnections:
    """Connections in autocommit, made when first needed; the one used last is used next.

    Args:
        arguments: how to connect.
        same: says whether a database's identity is that of the database in use.
    """

    def __init__(self, arguments: Mapping[str, Any], same: Callable[[str | None], Awaitable[bool]]) -> None:
        self._same = same
        self._arguments = {**arguments, "options": f"{arguments.get('options', '')} {OPTIONS}"}
        self._idle: list[HotLink] = []

    async def run(self, *writes: Write) -> list[bool]:
        """Carry out each write in one statement, all in one transaction, and say which guards held.

        Raises:
            psycopg.Error: one failed; when the connection died nobody knows whether they were committed.
        """
        link = await self._take()
        try:
            return await link.run(writes)
        finally:
            await self._put_back(link)

    async def _take(self) -> HotLink:
        while self._idle:
            link = self._idle.pop()
            if link.usable:
                return link
            await link.close()
        return await self._connect()

    async def _connect(self) -> HotLink:
        connection = await connected(**self._arguments, autocommit=True)
        try:
            await self._look_at(connection)
        except BaseException:
            await connection.close()
            raise
        return HotLink(connection)

    async def _look_at(self, connection: psycopg.AsyncConnection[Any]) -> None:
        row = await (await connection.execute(IDENTITY.encode())).fetchone()
        if row is None or not await self._same(row[0]):
            raise psycopg.OperationalError(STANDBY)

    async def _put_back(self, link: HotLink) -> None:
        if link.usable:
            self._idle.append(link)
            return
        if link.lost:
            # The others have probably lost the same server.
            await self.close()
        await link.close()

    async def close(self) -> None:
        """Close what is idle; may be called at any time."""
        idle, self._idle = self._idle, []
        for link in idle:
            await link.close()
