"""Events stand in the order of their transactions: none may tell of a step after its end."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

from plumber_core.app import Plumber
from plumber_core.model.states import StepState
from plumber_core.model.task import Step
from plumber_core.storage.script import Script
from support.embedded import only_step, start
from support.scripted_agent import ScriptedAgent

ONE = Step(name="one", run="1")


@pytest.mark.parametrize("heard", [True, False])
async def test_an_end_that_was_decided_before_its_step_moved_is_decided_anew(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch, heard: bool
) -> None:
    async with Plumber(postgres_url, local_agent=False) as plumber:
        agent = await ScriptedAgent.create(plumber, "a")
        execution = await start(plumber, ONE)
        attempt = (await agent.take()).attempt
        store, term = plumber._store, plumber._engine.term
        assert term is not None

        async def move() -> None:
            if heard:
                await store.mark_reachable(agent.config.id, [attempt])
            else:
                assert len(await store.mark_unreachable(term, -1.0)) == 1

        if heard:
            assert len(await store.mark_unreachable(term, -1.0)) == 1
        hot, guards = store.database.hot, []

        async def late(script: Script, parameters: dict[str, Any]) -> bool:
            """Carry it out in a transaction that was there before the step moved, as one with several ends may be."""
            monkeypatch.setattr(store.database, "hot", hot)
            async with await psycopg.AsyncConnection.connect(
                postgres_url, cursor_factory=psycopg.AsyncRawCursor
            ) as older:
                await older.execute(b"SELECT pg_current_xact_id()")
                await move()
                sql, names = script.postgresql
                row = await (await older.execute(sql, [parameters[name] for name in names])).fetchone()
            guards.append(bool(row and row[0]))
            return guards[-1]

        monkeypatch.setattr(store.database, "hot", late)
        assert (await agent.report(attempt)).status == "recorded"
        assert guards == [False]
        assert (await only_step(plumber, execution)).state is StepState.SUCCEEDED
        events = await store.events_after("0.0", execution, 100)
        told = [event.kind for event in events if event.kind.startswith("step.")]
        assert told[-1] == "step.succeeded" and "step.unreachable" in told
