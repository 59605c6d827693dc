"""Work beside the callers: that it failed is said once, and the sweeps go on."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, cast

import pytest

from plumber_core.engine import reap
from plumber_core.engine.core import Engine
from plumber_core.errors import Unavailable
from plumber_core.model.limits import Patience


class NoStore:
    """A store that nobody asks."""

    counts: dict[str, int] = {}  # noqa: RUF012


@pytest.fixture
def defects() -> list[Any]:
    return []


def engine_of(defects: list[Any]) -> Engine:
    asyncio.get_running_loop().set_exception_handler(lambda _, context: defects.append(context["exception"]))
    return Engine(cast(Any, NoStore()), Patience(sweep_interval=0.0))


async def fails(error: Exception) -> None:
    raise error


async def test_a_database_that_went_away_is_said_and_no_defect(
    defects: list[Any], caplog: pytest.LogCaptureFixture
) -> None:
    engine = engine_of(defects)
    with caplog.at_level(logging.INFO):
        await asyncio.wait({engine.spawn(fails(Unavailable(reason="away")), "verify")})
    assert "verify: " in caplog.text and defects == []


async def test_a_defect_is_told_to_the_loop_once(defects: list[Any]) -> None:
    engine, defect = engine_of(defects), ValueError("a defect")
    await asyncio.wait({engine.spawn(fails(defect), "verify")})
    assert defects == [defect]


async def test_sweeps_go_on_after_whatever_happens_in_one(monkeypatch: pytest.MonkeyPatch, defects: list[Any]) -> None:
    engine, defect = engine_of(defects), ValueError("a defect")
    errors: list[Exception] = [defect, Unavailable(reason="away")]
    swept = asyncio.Event()

    async def sweep(_: Engine, number: int) -> None:
        if errors:
            raise errors.pop(0)
        swept.set()

    monkeypatch.setattr(reap, "sweep", sweep)
    sweeps = engine.spawn(reap.sweeps(engine), "sweeps")
    async with asyncio.timeout(10):
        await swept.wait()
    await engine.stop()
    assert sweeps.cancelled() and defects == [defect]
