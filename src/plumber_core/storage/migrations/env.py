"""Alembic's entry: migrates the connection that ``migrate.py`` hands over."""

from __future__ import annotations

from alembic import context

from plumber_core.storage.migrate import VERSION_TABLE
from plumber_core.storage.tables import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=metadata,
    version_table=VERSION_TABLE,
    render_as_batch=connection.dialect.name == "sqlite",
    transactional_ddl=False,
)
context.run_migrations()
