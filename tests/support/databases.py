"""Fixtures: databases for tests, of both kinds.

Most tests get one that has this release's schema, as a server finds it at every start but its first: migrating costs
more than many a test. Those that are about the first start ask for an empty one.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumber_core.storage.database import connect
from plumber_core.storage.migrate import upgrade
from support.postgres import Server, fresh_database, running_server


def migrate(url: str) -> None:
    """Bring a database to this release's schema, and leave it closed."""

    async def migrated() -> None:
        database = connect(url)
        await database.open()
        try:
            await database.migrate(upgrade)
        finally:
            await database.close()

    asyncio.run(migrated())


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """A running PostgreSQL; each worker of pytest-xdist has its own."""
    with running_server() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: Server) -> Iterator[str]:
    """The name of a database with this release's schema, to be copied; nobody is connected to it."""
    with fresh_database(postgres_server) as url:
        migrate(url)
        yield url.partition("?")[0].rpartition("/")[2]


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file with this release's schema, to be copied."""
    file = tmp_path_factory.mktemp("template") / "plumber.db"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def postgres_url(postgres_server: Server, postgres_template: str) -> Iterator[str]:
    """The address of a database on a real PostgreSQL, with the schema and no content; dropped after the test."""
    with fresh_database(postgres_server, postgres_template) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path, sqlite_template: Path) -> str:
    """The address of an SQLite database with the schema and no content."""
    return f"sqlite:///{shutil.copy(sqlite_template, tmp_path / 'plumber.db')}"


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """The address of a database without content: the test runs once on SQLite, once on PostgreSQL."""
    name = "sqlite_url" if request.param == "sqlite" else "postgres_url"
    url: str = request.getfixturevalue(name)
    return url


@pytest.fixture
def empty_sqlite_url(tmp_path: Path) -> str:
    """The address of an SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'plumber.db'}"


@pytest.fixture
def empty_postgres_url(postgres_server: Server) -> Iterator[str]:
    """The address of an empty database on a real PostgreSQL, dropped after the test."""
    with fresh_database(postgres_server) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database_url(request: pytest.FixtureRequest) -> str:
    """The address of an empty database: the test runs once on SQLite, once on PostgreSQL."""
    name = "empty_sqlite_url" if request.param == "sqlite" else "empty_postgres_url"
    url: str = request.getfixturevalue(name)
    return url
