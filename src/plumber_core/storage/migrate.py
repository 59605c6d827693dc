"""Bring a database to this release's schema, from the package, without an alembic.ini."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from plumber_core.errors import SchemaTooNew
from plumber_core.storage.guards import install_triggers


def upgrade(connection: Connection) -> None:
    """Run every migration that the database lacks, in the caller's transaction.

    Raises:
        SchemaTooNew: the database was written by a newer release.
    """
    config = configuration(connection)
    found = current_revision(connection)
    scripts = ScriptDirectory.from_config(config)
    if found is not None:
        try:
            scripts.get_revision(found)
        except CommandError as error:
            raise SchemaTooNew(found=found, known=scripts.get_current_head()) from error
    command.upgrade(config, "head")
    install_triggers(connection)


def current_revision(connection: Connection) -> str | None:
    """Return the database's revision, None for an empty one."""
    options = {"version_table": "plumber_schema"}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def configuration(connection: Connection) -> Config:
    """Return Alembic's configuration bound to an open connection."""
    config = Config()
    config.set_main_option("script_location", "plumber_core:storage/migrations")
    config.attributes["connection"] = connection
    return config
