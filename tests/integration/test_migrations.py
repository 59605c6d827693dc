"""The schema: migrations lead to the tables, step by step and back one, with what was stored before."""

from __future__ import annotations

import sys

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, select

from plumber_core.errors import TransitionRefused
from plumber_core.model.states import StepState
from plumber_core.storage import tables as t
from plumber_core.storage.database import connect
from plumber_core.storage.guards import install_triggers
from plumber_core.storage.migrate import VERSION_TABLE, current_revision, newest_revision, upgrade
from plumber_core.storage.migrating import configuration
from support.step_rows import Placed, place, states_of


async def test_migrations_lead_to_the_tables_of_this_release(empty_database_url: str) -> None:
    def differences(connection: Connection) -> list[object]:
        options = {"version_table": VERSION_TABLE, "compare_type": False}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), t.metadata))

    database = connect(empty_database_url)
    await database.open()
    await database.migrate(upgrade)
    try:
        assert await database.write(differences) == []
    finally:
        await database.close()


async def test_a_database_that_is_up_to_date_is_known_without_alembic(
    empty_sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = connect(empty_sqlite_url)
    await database.open()
    try:
        await database.migrate(upgrade)
        newest = await database.read(lambda connection: ScriptDirectory.from_config(configuration(connection)))
        assert newest_revision() == newest.get_current_head() == await database.read(current_revision)
        monkeypatch.setitem(sys.modules, "plumber_core.storage.migrating", None)
        await database.migrate(upgrade)
    finally:
        await database.close()


async def test_one_step_back_and_forth_keeps_what_was_stored_and_the_refusals(empty_database_url: str) -> None:
    step = Placed.make(StepState.SUCCEEDED)

    def back_and_forth(connection: Connection) -> tuple[str | None, str | None]:
        command.downgrade(configuration(connection), "-1")
        before = current_revision(connection)
        upgrade(connection)
        return before, current_revision(connection)

    database = connect(empty_database_url)
    await database.open()
    await database.migrate(upgrade)
    try:
        await database.write(lambda connection: place(connection, [step]))
        before, after = await database.write(back_and_forth)
        assert before is not None and after is not None and before < after
        assert await database.read(states_of) == {step.step_id: StepState.SUCCEEDED}
        revive = t.step_executions.update().values(state="running")
        with pytest.raises(TransitionRefused):
            await database.write(lambda connection: connection.execute(revive))
    finally:
        await database.close()


async def test_triggers_that_fit_are_left_alone(empty_database_url: str) -> None:
    """Servers start beside each other: each must not lock the tables only to write the same again."""
    statements: list[str] = []

    def again(connection: Connection) -> None:
        from sqlalchemy import event

        def note(conn: object, cursor: object, statement: str, *_: object) -> None:
            statements.append(statement)

        event.listen(connection, "before_cursor_execute", note)
        install_triggers(connection)

    database = connect(empty_database_url)
    await database.open()
    await database.migrate(upgrade)
    try:
        await database.write(again)
    finally:
        await database.close()
    assert statements and all(text.lstrip().startswith("SELECT") for text in statements)
    assert select(t.meta).is_select
