"""Alembic at work. Loaded only when there is something to migrate: it costs a third of a second."""

from __future__ import annotations

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy import Connection

from plumber_core.errors import SchemaTooNew


def run_migrations(connection: Connection, found: str | None) -> None:
    """Run every migration after ``found``, the database's revision, in the caller's transaction.

    Raises:
        SchemaTooNew: this release does not know ``found``.
    """
    config = configuration(connection)
    scripts = ScriptDirectory.from_config(config)
    if found is not None:
        try:
            scripts.get_revision(found)
        except CommandError as error:
            raise SchemaTooNew(found=found, known=scripts.get_current_head()) from error
    command.upgrade(config, "head")


def configuration(connection: Connection) -> Config:
    """Return Alembic's configuration bound to an open connection."""
    config = Config()
    config.set_main_option("script_location", "plumber_core:storage/migrations")
    config.attributes["connection"] = connection
    return config
