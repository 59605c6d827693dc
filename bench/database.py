"""What PostgreSQL counts of a database's work."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import psycopg

FLUSHED = 11.0
"""Seconds after which an idle connection has told its numbers to the statistics."""
_READ = """SELECT xact_commit + xact_rollback, pg_snapshot_xmax(pg_current_snapshot())::text::bigint,
  extract(epoch FROM clock_timestamp()) FROM pg_stat_database WHERE datname = current_database()"""


@dataclass(frozen=True)
class Work:
    """``transactions`` counts every one, reads too; ``writes`` those that were given a transaction id, by the whole
    server; ``at`` is in seconds."""

    transactions: float
    writes: float
    at: float

    def since(self, earlier: Work) -> Work:
        """Return what was done between two moments; ``at`` is the time between them."""
        return Work(self.transactions - earlier.transactions, self.writes - earlier.writes, self.at - earlier.at)


async def work_done(database_url: str) -> Work:
    """Return what a database has done so far, once everybody has told."""
    await asyncio.sleep(FLUSHED)
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        row = await (await connection.execute(_READ.encode())).fetchone()
    assert row is not None
    return Work(*(float(value) for value in row))


async def tidy(database_url: str) -> None:
    """Do now what autovacuum would do at any moment: its transactions count like everybody's."""
    async with await psycopg.AsyncConnection.connect(database_url, autocommit=True) as connection:
        await connection.execute(b"VACUUM (ANALYZE)")
