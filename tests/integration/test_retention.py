"""What is old is deleted in small pieces, and whoever comes for it later gets a clear answer."""

from __future__ import annotations

import pytest
from sqlalchemy import Connection, func, select, text, update

from plumber_core.app import Plumber
from plumber_core.engine.retention import delete_old
from plumber_core.errors import Gone, NotFound
from plumber_core.ids import first_id_at, new_id
from plumber_core.model.limits import Retention
from plumber_core.protocol.frames import STDOUT, encode_frame
from plumber_core.storage import tables as t
from plumber_core.storage.store import retention as store_retention
from support.scripted_agent import ScriptedAgent

TASK = "name: nightly\non: all\nsteps: [{name: one, run: '1'}, {name: two, run: '2'}]\n"
MONTH = 30 * 86_400


async def run(plumber: Plumber, agent: ScriptedAgent, name: str = "nightly") -> tuple[str, list[str]]:
    """Run the task once; return the execution and its attempts."""
    execution = (await plumber.tasks.run(task=name)).id
    attempts = [(await agent.take()).attempt]
    following = (await agent.report(attempts[0], b"out\n")).next
    assert following is not None
    attempts.append(following.attempt)
    await agent.report(following.attempt, b"more\n")
    return execution, attempts


async def age(plumber: Plumber, execution: str, seconds: float) -> str:
    """Make an execution as old as that: its ids tell when it began."""
    at = await plumber._store.now() - int(seconds * 1_000_000)
    old = first_id_at(at / 1_000_000)[:18] + new_id()[18:]

    def work(connection: Connection) -> None:
        if connection.dialect.name == "postgresql":
            connection.execute(text("SET LOCAL session_replication_role = replica"))
        else:
            connection.execute(text("PRAGMA defer_foreign_keys = on"))
        for table, columns in (
            ("executions", ("id",)),
            ("progress", ("execution_id",)),
            ("step_executions", ("id", "execution_id", "attempt_id")),
            ("attempts", ("id", "step_execution_id", "execution_id")),
            ("log_chunks", ("attempt_id",)),
            ("events", ("execution_id",)),
        ):
            values = ", ".join(f"{column} = replace({column}, :new, :old)" for column in columns)
            connection.execute(text(f"UPDATE {table} SET {values}"), {"new": execution, "old": old})
        ended = update(t.executions).where(t.executions.c.id == old, t.executions.c.ended_at.is_not(None))
        connection.execute(ended.values(created_at=at, ended_at=at))

    await plumber._store.database.write(work)
    plumber._engine.executions.forget(execution)
    return old


async def counts(plumber: Plumber) -> dict[str, int]:
    names = ("executions", "progress", "step_executions", "attempts", "log_chunks")

    def work(connection: Connection) -> dict[str, int]:
        return {
            n: connection.execute(select(func.count()).select_from(t.metadata.tables[n])).scalar_one() for n in names
        }

    return await plumber._store.read(work)


async def delete(plumber: Plumber, days: float = 90.0, last: int = 0) -> int:
    plumber._engine.retention = Retention(days, last)
    term = plumber._engine.term
    assert term is not None
    return await delete_old(plumber._engine, term)


async def test_what_is_old_is_deleted_with_everything_in_it_and_the_young_is_kept(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await plumber.tasks.apply(source=TASK)
    young, _ = await run(plumber, agent)
    before = await counts(plumber)
    old = await age(plumber, (await run(plumber, agent))[0], 4 * MONTH)
    assert await delete(plumber) == 1
    assert await counts(plumber) == before
    assert [one.id for one in (await plumber.executions.list()).items] == [young]
    events = await plumber._store.events_after("0.0", None, 1000)
    [told] = [event for event in events if event.kind == "retention.deleted"]
    assert told.data == {"executions": 1, "days": 90.0, "last": 0, "tasks": {"nightly": 1}}
    of_old = {event.kind for event in events if event.execution_id == old}
    assert of_old == {"execution.running", "execution.succeeded"}
    assert await delete(plumber) == 0
    assert plumber._engine.counts["plumber_executions_deleted_total"] == 1


async def test_the_last_of_each_task_are_kept_whatever_their_age(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    for name in ("nightly", "weekly"):
        await plumber.tasks.apply(source=TASK.replace("nightly", name))
    old = {}
    for name, number in (("nightly", 4), ("weekly", 2)):
        ran = [(await run(plumber, agent, name))[0] for _ in range(number)]
        old[name] = [await age(plumber, one, (8 - n) * MONTH) for n, one in enumerate(ran)]
    assert await delete(plumber, last=2) == 2
    left = {one.id for one in (await plumber.executions.list()).items}
    assert left == {*old["nightly"][2:], *old["weekly"]}
    assert await delete(plumber, days=0) == 0


async def test_what_has_not_ended_is_never_deleted(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await plumber.tasks.apply(source=TASK)
    running = (await plumber.tasks.run(task="nightly")).id
    await agent.take()
    running = await age(plumber, running, 12 * MONTH)
    assert await delete(plumber) == 0
    term = plumber._engine.term
    assert term is not None
    assert await plumber._store.delete_executions(term, [running]) == 1
    assert (await plumber.executions.show(execution=running)).state == "running"


async def test_a_large_execution_goes_in_small_transactions(plumber: Plumber, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await plumber.tasks.apply(source=TASK)
    old, attempts = await run(plumber, agent)
    for number in range(7):
        end = (await plumber.read_log(attempts[0])).end
        await agent.append(attempts[0], end, encode_frame(STDOUT, number, b"x"))
    await age(plumber, old, 4 * MONTH)
    monkeypatch.setattr(store_retention, "CHUNKS", 3)
    monkeypatch.setattr(store_retention, "ROWS", 4)
    calls: list[int | None] = []
    whole = plumber._store.delete_executions

    async def counted(term: object, executions: list[str]) -> int | None:
        calls.append(await whole(term, executions))  # type: ignore[arg-type]
        return calls[-1]

    monkeypatch.setattr(plumber._store, "delete_executions", counted)
    assert await delete(plumber) == 1
    assert calls[-1] == 1 and len(calls) > 4 and set(calls[:-1]) == {0}
    assert set((await counts(plumber)).values()) == {0}


async def test_readers_of_what_was_deleted_are_told_so_and_its_late_report_is_accepted(plumber: Plumber) -> None:
    agent = await ScriptedAgent.create(plumber, "a")
    await plumber.tasks.apply(source=TASK)
    ran, attempts = await run(plumber, agent)
    old = await age(plumber, ran, 4 * MONTH)
    attempt = attempts[0].replace(ran, old)
    assert await delete(plumber) == 1
    executions = plumber.executions
    for asked in (
        executions.show(execution=old),
        executions.matrix(execution=old),
        executions.step(execution=old, step=0, host="a"),
        executions.groups(execution=old, step=0),
        executions.logs(execution=old),
        executions.cancel(execution=old),
        executions.rerun(execution=old),
    ):
        with pytest.raises(Gone) as gone:
            await asked
        assert gone.value.arguments["kind"] == "execution" and gone.value.arguments["at"].startswith("20")
    with pytest.raises(Gone):
        await plumber.read_log(attempt)
    with pytest.raises(NotFound):
        await plumber.executions.show(execution=new_id())
    frame = encode_frame(STDOUT, 1, b"late\n")
    assert await agent.append(attempt, 100, frame) == 100 + len(frame)
    reported = await agent.report(attempt, log_end=100 + len(frame))
    assert (reported.status, reported.log_end) == ("late", 100 + len(frame))
    assert (await agent.report("no such attempt")).status == "unknown"
