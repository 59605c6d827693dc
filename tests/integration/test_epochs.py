"""Another database in the place of the old one: it is noticed at the next connection, and the epoch rises once."""

from __future__ import annotations

import asyncio
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from plumber_core.app import Plumber
from plumber_core.errors import PlumberError, Unavailable
from plumber_core.model.task import Step
from plumber_core.protocol.messages import Outcome, Report
from plumber_core.protocol.peer import SessionOver
from support.embedded import start, states
from support.pgfiles import Owner, found_programs
from support.postgres import Server, fresh_database
from support.scripted_agent import ScriptedAgent
from support.standby import ReplicatedServer
from support.waiting import wait_until

ONE = Step(name="one", run="1")


@asynccontextmanager
async def replicas(url: str, number: int = 2) -> AsyncIterator[list[Plumber]]:
    async with Plumber(url, local_agent=False) as first, Plumber(url, local_agent=False) as second:
        yield [first, second][:number]


async def epoch(plumber: Plumber) -> int:
    """Return the epoch once the database answers."""

    async def answer() -> int:
        try:
            return (await plumber.system.info()).epoch
        except PlumberError:
            return 0

    return int(await wait_until(answer, 20))


async def test_a_failover_raises_the_epoch_once_for_all_servers(replicated_server: ReplicatedServer) -> None:
    async with replicas(replicated_server.url()) as plumbers:
        assert [await epoch(plumber) for plumber in plumbers] == [1, 1]
        await asyncio.to_thread(replicated_server.fail_over)
        found = await asyncio.gather(*(epoch(plumber) for plumber in plumbers))
        events = await plumbers[0]._engine.store.events_after("0.0", None, 100)
    assert found[0] == found[1] > 1
    assert [event.data for event in events if event.kind == "system.epoch"] == [{"epoch": found[0]}]


async def test_two_failovers_whose_second_forgets_the_first_have_different_epochs(
    replicated_server: ReplicatedServer,
) -> None:
    async with replicas(replicated_server.url(), 1) as [plumber]:
        await asyncio.to_thread(replicated_server.fail_over)
        first = await epoch(plumber)
    with psycopg.connect(replicated_server.url(), autocommit=True) as connection:
        connection.execute("UPDATE meta SET epoch = 1, identity = 'as-it-was-before'")
    async with replicas(replicated_server.url(), 1) as [plumber]:
        assert await epoch(plumber) > first


async def test_a_restart_of_the_same_database_changes_nothing(postgres_url: str) -> None:
    for _ in range(2):
        async with Plumber(postgres_url, local_agent=False) as plumber:
            assert await epoch(plumber) == 1


async def test_a_standby_is_refused(replicated_server: ReplicatedServer) -> None:
    async with replicas(replicated_server.url(), 1):
        pass
    await wait_until(replicated_server.caught_up)
    with pytest.raises(Unavailable, match="read-only standby"):
        async with Plumber(replicated_server.standby.url(), local_agent=False):
            raise AssertionError("it was opened")


async def test_a_restored_dump_is_another_database(postgres_server: Server, postgres_url: str) -> None:
    async with Plumber(postgres_url, local_agent=False) as plumber:
        agent = await ScriptedAgent.create(plumber, "a")
        execution = await start(plumber, ONE)
        await agent.report((await agent.take()).attempt)
        told = len(await plumber._engine.store.events_after("0.0", None, 100))
    with fresh_database(postgres_server) as other, found_programs(Owner.choose()) as programs:
        dump = await asyncio.to_thread(
            subprocess.run, [programs / "pg_dump", "-Fc", postgres_url], capture_output=True, check=True
        )
        restore = [programs / "pg_restore", "--exit-on-error", "-d", other]
        await asyncio.to_thread(subprocess.run, restore, input=dump.stdout, check=True)
        with psycopg.connect(other, autocommit=True) as connection:
            connection.execute("UPDATE events SET xid = xid + 1000000000")
        async with Plumber(other, local_agent=False) as plumber:
            assert await epoch(plumber) > 1
            assert await states(plumber, execution) == ["succeeded"]
            assert len(await plumber._engine.store.events_after("0.0", None, 100)) == told + 1


async def test_a_session_of_the_old_epoch_is_over_before_anything_is_written(
    replicated_server: ReplicatedServer,
) -> None:
    async with replicas(replicated_server.url(), 1) as [plumber]:
        agent = await ScriptedAgent.create(plumber, "a")
        execution = await start(plumber, ONE)
        attempt = (await agent.take()).attempt
        await wait_until(replicated_server.caught_up)
        await asyncio.to_thread(replicated_server.fail_over)
        assert agent.peer is not None

        async def told() -> bool:
            try:
                await agent.peer.report(Report(agent.session, attempt, Outcome("succeeded"), 1))
            except SessionOver:
                return True
            except Exception:
                return False
            raise AssertionError("the report of the old epoch was taken")

        await wait_until(told, 20)
        assert await states(plumber, execution) == ["running"]
