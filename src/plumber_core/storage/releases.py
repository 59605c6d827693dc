"""What is held goes back in the transaction in which its holder ends, whoever ends it: a trigger does it.

Whoever holds nothing pays nothing: the condition is part of the trigger.
"""

from __future__ import annotations

import hashlib

from sqlalchemy import Connection, text

from plumber_core.model.states import TERMINAL_EXECUTION_STATES, TERMINAL_STEP_STATES

_TABLES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("step_executions", tuple(sorted(TERMINAL_STEP_STATES))),
    ("executions", tuple(sorted(TERMINAL_EXECUTION_STATES))),
)
_GIVE_BACK = "DELETE FROM holds WHERE holder = NEW.id;"
_FUNCTION = f"""
CREATE OR REPLACE FUNCTION plumber_give_back() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  {_GIVE_BACK}
  RETURN NULL;
END $$"""


def install_releases(connection: Connection) -> None:
    """Have holders give back what they hold as they end; what is there already is left alone."""
    install = _install_postgres if connection.dialect.name == "postgresql" else _install_sqlite
    for table, ended in _TABLES:
        listed = ", ".join(f"'{state}'" for state in ended)
        install(connection, table, f"NEW.locked AND NEW.state IN ({listed})")


def _install_postgres(connection: Connection, table: str, when: str) -> None:
    digest, name = hashlib.sha256((when + _FUNCTION).encode()).hexdigest(), f"{table}_give_back"
    which = "tgname = :name AND tgrelid = CAST(:table AS regclass)"
    query = text(f"SELECT obj_description(oid, 'pg_trigger') FROM pg_trigger WHERE {which}")
    if connection.execute(query, {"name": name, "table": table}).scalar_one_or_none() == digest:
        return
    for statement in (
        _FUNCTION,
        f"DROP TRIGGER IF EXISTS {name} ON {table}",
        f"CREATE TRIGGER {name} AFTER UPDATE OF state ON {table} FOR EACH ROW WHEN ({when})"
        " EXECUTE FUNCTION plumber_give_back()",
        f"COMMENT ON TRIGGER {name} ON {table} IS '{digest}'",
    ):
        connection.exec_driver_sql(statement.replace("%", "%%"))


def _install_sqlite(connection: Connection, table: str, when: str) -> None:
    name = f"{table}_give_back"
    statement = f"CREATE TRIGGER {name} AFTER UPDATE OF state ON {table} WHEN {when} BEGIN {_GIVE_BACK} END"
    query = text("SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = :name")
    if connection.execute(query, {"name": name}).scalar_one_or_none() != statement:
        connection.exec_driver_sql(f"DROP TRIGGER IF EXISTS {name}")
        connection.exec_driver_sql(statement)
