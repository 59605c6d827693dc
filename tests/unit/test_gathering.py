from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import pytest

from plumber_core.errors import Unavailable
from plumber_core.storage.dialects import gathering
from plumber_core.storage.dialects.gathering import Gathering, Write
from support.waiting import wait_until

SCRIPT: Any = object()


class Database:
    """Commits when told to; remembers what was carried out together."""

    def __init__(self, at_once: int = 1) -> None:
        self.commit = asyncio.Event()
        self.transactions: list[list[str]] = []
        self.spoilt: set[str] = set()
        self.gathering = Gathering(self._alone, self._together, at_once)

    async def _alone(self, write: Write) -> bool:
        self.transactions.append([write.parameters["execution"]])
        await self.commit.wait()
        if write.parameters["execution"] in self.spoilt:
            raise ValueError(write.parameters["execution"])
        return bool(write.parameters["execution"] != "stale")

    async def _together(self, writes: Sequence[Write]) -> list[bool] | None:
        names = [write.parameters["execution"] for write in writes]
        self.transactions.append(names)
        await self.commit.wait()
        return None if self.spoilt & set(names) else [name != "stale" for name in names]

    def write(self, execution: str) -> asyncio.Task[bool]:
        return asyncio.create_task(self.gathering.run(Write(SCRIPT, {"execution": execution})))

    async def several(self, *executions: str) -> list[asyncio.Task[bool]]:
        """Begin one and let the others gather behind it."""
        tasks = [self.write(execution) for execution in executions]
        await wait_until(lambda: len(self.gathering._waiting) == len(executions) - 1)
        return tasks


async def test_what_comes_while_a_commit_is_under_way_shares_the_next_one() -> None:
    database = Database()
    tasks = await database.several("first", "c", "stale", "a")
    database.commit.set()
    assert await asyncio.gather(*tasks) == [True, True, False, True]
    assert database.transactions == [["first"], ["a", "c", "stale"]]


async def test_one_that_fails_takes_nobody_along() -> None:
    database = Database()
    database.spoilt = {"bad"}
    tasks = await database.several("first", "a", "bad", "stale")
    database.commit.set()
    first, a, bad, stale = await asyncio.gather(*tasks, return_exceptions=True)
    assert (first, a, stale) == (True, True, False)
    assert isinstance(bad, ValueError)
    assert database.transactions == [["first"], ["a", "bad", "stale"], ["a"], ["bad"], ["stale"]]


async def test_a_caller_that_goes_away_ends_its_own_write_only() -> None:
    database = Database()
    first, gone, other = await database.several("first", "gone", "other")
    gone.cancel()
    first.cancel()
    database.commit.set()
    assert await other
    assert first.cancelled()
    assert gone.cancelled()
    assert database.transactions == [["first"], ["other"]]


async def test_a_caller_that_goes_away_while_its_transaction_runs_harms_nobody() -> None:
    database = Database()
    tasks = await database.several("first", "gone", "other", "third")
    database.commit.set()
    await tasks[0]
    database.commit.clear()
    await wait_until(lambda: len(database.transactions) == 2)
    tasks[1].cancel()
    last = database.write("last")
    database.commit.set()
    assert [await task for task in (*tasks[2:], last)] == [True, True, True]
    assert tasks[1].cancelled()


async def test_a_slow_commit_keeps_no_newcomer_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "SLOW", 0.0)
    database = Database(at_once=2)
    tasks = [database.write(name) for name in ("slow", "second", "third")]
    await wait_until(lambda: len(database.gathering._waiting) == 1)
    assert database.transactions == [["slow"], ["second"]]
    database.commit.set()
    assert await asyncio.gather(*tasks) == [True, True, True]


async def test_who_never_has_a_turn_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "BUSY", 0.01)
    database = Database()
    first, late = database.write("first"), database.write("late")
    with pytest.raises(Unavailable):
        await late
    database.commit.set()
    assert await first
    assert database.transactions == [["first"]]


async def test_there_is_an_end_to_what_one_transaction_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gathering, "MOST", 2)
    database = Database()
    tasks = await database.several("first", "a", "b", "c")
    database.commit.set()
    assert all(await asyncio.gather(*tasks))
    assert database.transactions == [["first"], ["a", "b"], ["c"]]
