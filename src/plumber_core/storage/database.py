"""A database behind one small interface: work is written once, in synchronous style, over a ``Connection``.

PostgreSQL runs it through SQLAlchemy's asyncio bridge, SQLite in its writer or reader threads, the simulator in one
thread.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from plumber_core.errors import BadDatabaseUrl
from plumber_core.storage.script import Script

Value = TypeVar("Value")


class Database(Protocol):
    """Each call of ``write``, ``hot`` and ``single`` is one transaction. ``counts`` are metrics."""

    dialect: str
    counts: Counter[str]

    async def open(self) -> None: ...
    async def close(self) -> None: ...
    async def read(self, work: Callable[[Connection], Value]) -> Value: ...
    async def look(self, work: Callable[[Connection], Value]) -> Value: ...
    async def snapshot(self, work: Callable[[Connection], Value]) -> Value: ...
    async def write(self, work: Callable[[Connection], Value]) -> Value: ...
    async def hot(self, script: Script, parameters: dict[str, Any]) -> bool: ...
    async def single(self, work: Callable[[Connection], Value]) -> Value: ...
    async def migrate(self, upgrade: Callable[[Connection], None]) -> None: ...
    async def watch(self, on_epoch: Callable[[int], None]) -> None: ...
    async def notify(self, payload: str) -> None: ...
    async def listen(self, heard: Callable[[str], None]) -> None: ...


def connect(database_url: str) -> Database:
    """Return the database that a URL names; nothing is opened yet.

    Raises:
        BadDatabaseUrl: not a URL, or neither SQLite nor PostgreSQL.
        MissingExtra: PostgreSQL without its driver.
    """
    url = parse_url(database_url)
    backend = url.get_backend_name()
    if backend == "sqlite":
        from plumber_core.storage.dialects.sqlite import SqliteDatabase

        return SqliteDatabase(url)
    if backend in ("postgresql", "postgres"):
        from plumber_core.storage.dialects.postgres import PostgresDatabase

        return PostgresDatabase(url)
    raise BadDatabaseUrl(reason=f"{backend} is not supported")


def parse_url(database_url: str) -> URL:
    """Read a database's address.

    Raises: BadDatabaseUrl.
    """
    try:
        return make_url(database_url)
    except (ArgumentError, ValueError) as error:
        raise BadDatabaseUrl(reason="it is not a URL") from error
