"""A plugin for Plumber: ``uses: postgres`` runs one statement in a PostgreSQL database."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

import psycopg
from pydantic import BaseModel, Field, SecretStr

from plumber_core import Executor, StepContext, StepFailed, hookimpl

REFUSED = 3
Value = bool | int | float | str | None


class PostgresParams(BaseModel):
    """What stands under ``with``."""

    dsn: SecretStr = Field(description="as libpq writes it; take it from a secret")
    query: str = Field(min_length=1, description="one statement; %s stands for a value")
    values: list[Value] = Field(default=[], description="for each %s in the statement")
    limit: int = Field(1000, ge=0, le=100_000, description="rows that are printed at most")
    connect_timeout: int = Field(10, ge=1, le=600, description="seconds")


class Postgres(Executor[PostgresParams]):
    """Runs one statement in a PostgreSQL database, in a transaction."""

    kind = "postgres"
    Params = PostgresParams

    def summary(self, params: PostgresParams) -> str:
        """Return the statement on one line: values may be private."""
        return " ".join(params.query.split())[:200]

    async def run(self, ctx: StepContext, params: PostgresParams) -> dict[str, str]:
        """Connect, run, print the rows; a cancel closes the connection, which cancels the statement."""
        dsn, limit = params.dsn.get_secret_value(), params.connect_timeout
        try:
            async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=limit) as connection:
                cursor = await connection.execute(params.query, params.values or None)
                return await _shown(ctx, cursor, params.limit)
        except psycopg.Error as error:
            raise StepFailed(f"{type(error).__name__}: {error}".strip(), REFUSED) from error


async def _shown(ctx: StepContext, cursor: psycopg.AsyncCursor[Any], limit: int) -> dict[str, str]:
    if cursor.description is None:
        await ctx.print(cursor.statusmessage or "")
        return {"rows": str(max(0, cursor.rowcount))}
    names, first = [column.name for column in cursor.description], None
    for row in await cursor.fetchmany(limit):
        first = row if first is None else first
        await ctx.print(json.dumps(dict(zip(names, row, strict=True)), default=str, ensure_ascii=False))
    handed = {} if first is None else {"value": str(first[0])}
    return {"rows": str(cursor.rowcount), **handed}


@hookimpl
def register_executors() -> Iterable[Executor[Any]]:
    return [Postgres()]
