"""The connection dies in COMMIT: what the database says decides, and nothing is done twice or forgotten."""

from __future__ import annotations

from typing import Any

import pytest

from plumber_core.app import Plumber
from plumber_core.engine.reap import sweep
from plumber_core.errors import Unavailable
from plumber_core.model.task import Step
from plumber_core.protocol.frames import STDOUT, encode_frame
from plumber_core.protocol.messages import Ask
from plumber_core.protocol.peer import Disconnected
from support.embedded import show, start, states
from support.scripted_agent import ScriptedAgent

ONE, TWO = Step(name="one", run="1"), Step(name="two", run="2", on="b")


class Wire:
    """Between the store and its database: loses the next answers of hot writes, before or after their commit."""

    def __init__(self, plumber: Plumber, monkeypatch: pytest.MonkeyPatch) -> None:
        self._database = plumber._store.database
        self._hot, self._read = self._database.hot, self._database.read
        self.lose: str | None = None
        self.away = False
        monkeypatch.setattr(self._database, "hot", self.hot)
        monkeypatch.setattr(self._database, "read", self.read)

    async def hot(self, script: Any, parameters: Any) -> bool:
        lose, self.lose = self.lose, None
        if lose == "before":
            raise Unavailable(reason="the connection died")
        held = await self._hot(script, parameters)
        if lose == "after":
            raise Unavailable(reason="the connection died")
        return held

    async def read(self, work: Any) -> Any:
        if self.away:
            raise Unavailable(reason="the database is away")
        return await self._read(work)


@pytest.fixture
def wire(plumber: Plumber, monkeypatch: pytest.MonkeyPatch) -> Wire:
    return Wire(plumber, monkeypatch)


@pytest.mark.row(46)
@pytest.mark.parametrize("lose", ["before", "after"])
async def test_a_report_whose_commit_was_not_answered_is_recorded_once_and_goes_on(
    plumber: Plumber, wire: Wire, lose: str
) -> None:
    a, b = [await ScriptedAgent.create(plumber, name) for name in ("a", "b")]
    execution = await start(plumber, ONE, TWO, on="a")
    attempt = (await a.take()).attempt
    wire.lose = lose
    assert (await a.report(attempt, b"out\n")).status == "recorded"
    following = (await b.take()).attempt
    assert (await b.report(following)).status == "recorded"
    assert await states(plumber, execution) == ["succeeded", "succeeded"]
    assert (await show(plumber, execution)).state == "succeeded"
    kinds = [event.kind for event in await plumber._engine.store.events_after("0.0", execution, 100)]
    assert kinds.count("step.succeeded") == 2 and kinds.count("step.running") == 2


async def test_an_earlier_report_without_the_log_does_not_count_for_a_later_one_with_it(
    plumber: Plumber, wire: Wire
) -> None:
    """Found by the simulator: an agent was told that its log is there, and deleted it."""
    a = await ScriptedAgent.create(plumber, "a")
    await start(plumber, ONE)
    attempt = (await a.take()).attempt
    tail = encode_frame(STDOUT, 1, b"out\n")
    assert (await a.report(attempt, log_end=len(tail))).status == "recorded", "its log was on another way, and got lost"
    wire.lose = "after"
    assert (await a.report(attempt, b"out\n")).log_end == len(tail)
    log = await plumber.read_log(attempt)
    assert (log.data, log.complete) == (tail, True)


async def test_a_report_whose_log_the_database_does_not_take_now_is_told_again(
    plumber: Plumber, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = await ScriptedAgent.create(plumber, "a")
    await start(plumber, ONE)
    attempt = (await a.take()).attempt
    tail = encode_frame(STDOUT, 1, b"out\n")
    await a.report(attempt, log_end=len(tail))

    async def away(chunks: Any) -> Any:
        raise Unavailable(reason="the connection died in the commit")

    with monkeypatch.context() as database:
        database.setattr(plumber._store, "append", away)
        with pytest.raises(Disconnected):
            await a.report(attempt, b"out\n")
    assert (await a.report(attempt, b"out\n")).log_end == len(tail)
    assert (await plumber.read_log(attempt)).complete


@pytest.mark.parametrize("lose", ["before", "after"])
async def test_a_start_whose_commit_was_not_answered_is_one_execution_or_none(
    plumber: Plumber, wire: Wire, lose: str
) -> None:
    a = await ScriptedAgent.create(plumber, "a")
    wire.lose = lose
    if lose == "after":
        execution = await start(plumber, ONE)
        await a.report((await a.take()).attempt)
        assert (await show(plumber, execution)).state == "succeeded"
    else:
        with pytest.raises(Unavailable):
            await start(plumber, ONE)
    assert len((await plumber.executions.list()).items) == (1 if lose == "after" else 0)


async def test_what_was_handed_out_unnoticed_is_told_to_its_agent_when_the_database_is_back(
    plumber: Plumber, wire: Wire
) -> None:
    a, b = [await ScriptedAgent.create(plumber, name) for name in ("a", "b")]
    execution = await start(plumber, ONE, TWO, on="a")
    attempt = (await a.take()).attempt
    wire.lose, wire.away = "after", True
    with pytest.raises(Disconnected):
        await a.report(attempt)
    wire.away = False
    assert await states(plumber, execution) == ["succeeded", "running"]
    await sweep(plumber._engine)
    ask = await b.next()
    assert isinstance(ask, Ask) and ask.assignment.attempt.startswith(f"{execution}-1-0-0-")
    assert (await b.report(ask.assignment.attempt)).status == "recorded"
    assert (await a.report(attempt)).status == "duplicate"
    assert (await show(plumber, execution)).state == "succeeded"
