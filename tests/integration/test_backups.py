"""Backups of both databases: whole, private, checked, and never in the place of something by mistake."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from plumber_core.app import Plumber
from plumber_core.errors import Conflict, InvalidRequest, SchemaTooNew
from plumber_core.model.task import Step
from plumber_core.storage.backups import back_up, restore
from plumber_core.storage.backups.manifest import beside
from support.embedded import show, start, states
from support.pgfiles import Owner, found_programs
from support.postgres import Server, fresh_database
from support.scripted_agent import ScriptedAgent

ONE, TWO = Step(name="one", run="1"), Step(name="two", run="2")


@pytest.fixture(autouse=True)
def client_programs(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """PostgreSQL's client programs of the release that the tests run."""
    with found_programs(Owner.choose()) as programs:
        monkeypatch.setenv("PATH", str(programs), prepend=":")
        yield


@pytest.fixture
async def worked(database_url: str) -> tuple[str, str]:
    """A database whose server has stopped, and the one execution in it."""
    async with Plumber(database_url, local_agent=False) as plumber:
        agent = await ScriptedAgent.create(plumber, "a")
        execution = await start(plumber, ONE)
        await agent.report((await agent.take()).attempt, b"out\n")
    return database_url, execution


def named(folder: Path, pattern: str) -> list[str]:
    return sorted(path.name for path in folder.glob(pattern))


async def look(database_url: str, execution: str) -> tuple[list[str], int, int]:
    """Return the states of an execution, the epoch, and how many events people can see."""
    async with Plumber(database_url, local_agent=False) as plumber:
        events = await plumber._engine.store.events_after("0.0", None, 500)
        return await states(plumber, execution), (await plumber.system.info()).epoch, len(events)


async def test_a_backup_of_a_running_server_is_whole_private_and_has_a_manifest(
    database_url: str, tmp_path: Path
) -> None:
    file = tmp_path / "copy"
    async with Plumber(database_url, local_agent=False) as plumber:
        await ScriptedAgent.create(plumber, "a")
        manifest = await back_up(database_url, file)
    assert json.loads(beside(file).read_text())["sha256"] == manifest.sha256
    assert [path.stat().st_mode & 0o777 for path in (file, beside(file))] == [0o600, 0o600]
    assert (manifest.epoch, manifest.bytes) == (1, file.stat().st_size)
    assert named(tmp_path, "copy*") == ["copy", "copy.manifest.json"]
    with pytest.raises(Conflict, match="exists already"):
        await back_up(database_url, file)


async def test_a_restore_brings_everything_back_in_a_new_epoch(worked: tuple[str, str], tmp_path: Path) -> None:
    url, execution = worked
    manifest = await back_up(url, tmp_path / "copy")
    async with Plumber(url, local_agent=False) as plumber:
        await plumber.agents.create(name="later")
        told = len(await plumber._engine.store.events_after("0.0", None, 500))
    first = await restore(url, tmp_path / "copy", force=True)
    assert await look(url, execution) == (["succeeded"], first, told)
    second = await restore(url, tmp_path / "copy", force=True)
    assert 1 == manifest.epoch < first < second


@pytest.mark.row(44)
async def test_what_ran_since_the_backup_is_adopted_and_not_run_again(database_url: str, tmp_path: Path) -> None:
    async with Plumber(database_url, local_agent=False) as plumber:
        agent = await ScriptedAgent.create(plumber, "a")
        execution = await start(plumber, ONE, TWO)
        first = (await agent.take()).attempt
        await back_up(database_url, tmp_path / "copy")
        second = (await agent.report(first)).next
        assert second is not None
    await restore(database_url, tmp_path / "copy", force=True)
    async with Plumber(database_url, local_agent=False) as plumber:
        agent.plumber, agent.held = plumber, {first: "exited", second.attempt: "running"}
        await agent.connect()
        assert await states(plumber, execution) == ["running", "running"]
        await agent.report(second.attempt)
        await agent.report(first)
        detail = await show(plumber, execution)
        assert (detail.state, [len(step.attempts) for step in detail.steps]) == ("succeeded", [1, 1])


async def test_a_database_that_a_server_uses_is_not_replaced(worked: tuple[str, str], tmp_path: Path) -> None:
    url, _ = worked
    await back_up(url, tmp_path / "copy")
    async with Plumber(url, local_agent=False):
        with pytest.raises(Conflict, match="stop"):
            await restore(url, tmp_path / "copy", force=True)


async def test_a_database_that_holds_something_is_not_replaced_by_mistake(
    worked: tuple[str, str], tmp_path: Path
) -> None:
    url, execution = worked
    await back_up(url, tmp_path / "copy")
    with pytest.raises(Conflict, match="--force"):
        await restore(url, tmp_path / "copy", force=False)
    assert (await look(url, execution))[:2] == (["succeeded"], 1)


async def test_a_copy_that_was_cut_or_changed_is_refused(worked: tuple[str, str], tmp_path: Path) -> None:
    url, execution = worked
    file = tmp_path / "copy"
    await back_up(url, file)
    whole = file.read_bytes()
    for broken in (whole[:-1], whole[:100] + b"\0\0\0\0" + whole[104:]):
        file.write_bytes(broken)
        with pytest.raises(InvalidRequest, match="cut or changed"):
            await restore(url, file, force=True)
    file.write_bytes(whole)
    beside(file).rename(tmp_path / "away")
    with pytest.raises(InvalidRequest, match="manifest"):
        await restore(url, file, force=True)
    assert (await look(url, execution))[:2] == (["succeeded"], 1)


async def test_what_was_there_before_stays_beside_a_restored_file(sqlite_url: str, tmp_path: Path) -> None:
    async with Plumber(sqlite_url, local_agent=False):
        pass
    await back_up(sqlite_url, tmp_path / "copy")
    async with Plumber(sqlite_url, local_agent=False) as plumber:
        execution = await start_somewhere(plumber)
    epoch = await restore(sqlite_url, tmp_path / "copy", force=True)
    kept = f"sqlite:///{tmp_path / 'plumber.db'}.before-{epoch}"
    assert (await look(kept, execution))[0] == ["ready"]
    assert named(tmp_path, ".*restoring*") == []


async def start_somewhere(plumber: Plumber) -> str:
    await plumber.agents.create(name="a")
    return await start(plumber, ONE)


async def test_a_restore_to_another_place_needs_no_force(sqlite_url: str, tmp_path: Path) -> None:
    async with Plumber(sqlite_url, local_agent=False) as plumber:
        execution = await start_somewhere(plumber)
    await back_up(sqlite_url, tmp_path / "copy")
    other = f"sqlite:///{tmp_path / 'other.db'}"
    epoch = await restore(other, tmp_path / "copy", force=False)
    assert (await look(other, execution))[:2] == (["ready"], epoch)


async def test_a_dump_goes_to_another_cluster_whose_numbers_are_lower(
    postgres_server: Server, postgres_url: str, tmp_path: Path
) -> None:
    async with Plumber(postgres_url, local_agent=False) as plumber:
        execution = await start_somewhere(plumber)
        told = len(await plumber._engine.store.events_after("0.0", None, 500))
    await back_up(postgres_url, tmp_path / "copy")
    with fresh_database(postgres_server) as other:
        epoch = await restore(other, tmp_path / "copy", force=False)
        assert await look(other, execution) == (["ready"], epoch, told + 1)


async def test_a_copy_of_the_other_kind_is_refused(sqlite_url: str, postgres_url: str, tmp_path: Path) -> None:
    async with Plumber(sqlite_url, local_agent=False):
        pass
    await back_up(sqlite_url, tmp_path / "copy")
    with pytest.raises(InvalidRequest, match="sqlite"):
        await restore(postgres_url, tmp_path / "copy", force=True)


async def test_without_the_client_programs_nothing_is_left_behind(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with Plumber(postgres_url, local_agent=False):
        pass
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Conflict, match="pg_dump is not installed"):
        await back_up(postgres_url, tmp_path / "copy")
    assert named(tmp_path, "copy*") == []


async def test_there_must_be_something_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match="there is no file"):
        await back_up(f"sqlite:///{tmp_path / 'nothing.db'}", tmp_path / "copy")
    (tmp_path / "empty.db").touch()
    with pytest.raises(InvalidRequest, match="nothing of Plumber"):
        await back_up(f"sqlite:///{tmp_path / 'empty.db'}", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


async def test_a_copy_of_a_newer_release_leaves_everything_as_it_was(sqlite_url: str, tmp_path: Path) -> None:
    import sqlite3

    async with Plumber(sqlite_url, local_agent=False) as plumber:
        execution = await start_somewhere(plumber)
    newer = tmp_path / "newer.db"
    newer.write_bytes((tmp_path / "plumber.db").read_bytes())
    with sqlite3.connect(newer) as connection:
        connection.execute("UPDATE plumber_schema SET version_num = '9999'")
    connection.close()
    await back_up(f"sqlite:///{newer}", tmp_path / "copy")
    with pytest.raises(SchemaTooNew):
        await restore(sqlite_url, tmp_path / "copy", force=True)
    assert (await look(sqlite_url, execution))[:2] == (["ready"], 1)
