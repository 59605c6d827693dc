"""Bring a database to this release's schema, from the package, without an alembic.ini.

A database that has it already, as at nearly every start, is recognised without loading Alembic.
"""

from __future__ import annotations

from importlib import resources

from sqlalchemy import Connection, inspect, text

from plumber_core.storage.guards import install_triggers
from plumber_core.storage.releases import install_releases

VERSION_TABLE = "plumber_schema"


def upgrade(connection: Connection) -> None:
    """Run every migration that the database lacks, in the caller's transaction.

    Raises:
        SchemaTooNew: the database was written by a newer release.
    """
    found = current_revision(connection)
    if found != newest_revision():
        from plumber_core.storage.migrating import run_migrations

        run_migrations(connection, found)
    install_triggers(connection)
    install_releases(connection)


def current_revision(connection: Connection) -> str | None:
    """Return the database's revision, None for an empty one."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found: str | None = connection.execute(text(f"SELECT version_num FROM {VERSION_TABLE}")).scalar()
    return found


def newest_revision() -> str:
    """Return this release's revision: the number that the newest migration's file begins with."""
    files = resources.files("plumber_core.storage.migrations.versions").iterdir()
    return max(file.name for file in files if file.name.endswith(".py") and file.name[0].isdigit()).partition("_")[0]
