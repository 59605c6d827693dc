"""What a report costs does not grow with what there is: every row is found by its key."""

from __future__ import annotations

import re
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import psycopg
import pytest

from plumber_core.app import Plumber
from plumber_core.model.states import Actor, StepEvent
from plumber_core.storage import hot
from plumber_core.storage.dialects.hot_connections import OPTIONS
from plumber_core.storage.script import Script
from plumber_core.storage.store import dispatch

_ALL = {"tail": True, "lane_ends": True, "skip_lane": False, "skip_rest": False, "starts": True, "execution": True}
_PLAIN = {"counts_failures": False, "opens": False, "leader": False}
END = hot.end_step(StepEvent.SUCCEED, Actor.AGENT, **_ALL, **_PLAIN, retry=False)
RETRY = hot.end_step(StepEvent.FAIL, Actor.AGENT, **_ALL, **_PLAIN, retry=True)
OPEN = hot.end_step(
    StepEvent.FAIL, Actor.AGENT, **_ALL, counts_failures=True, opens=True, leader=True, retry=False, asks=True
)


def _claim() -> Any:
    sql = str(dispatch._PG_CLAIM)
    names = tuple(dict.fromkeys(re.findall(r"(?<!:):(\w+)", sql)))
    numbered = re.sub(r"(?<!:):(\w+)", lambda found: f"${names.index(found[1]) + 1}", sql)
    return SimpleNamespace(postgresql=(numbered.encode(), names))


@pytest.mark.parametrize(
    "script",
    [hot.submit(asks=True), END, RETRY, OPEN, _claim(), hot.begin(starts=True, asks=True)],
    ids=["submit", "end", "retry", "open", "claim", "begin"],
)
async def test_no_hot_write_reads_a_whole_table(postgres_url: str, script: Script) -> None:
    """The plan is made once, perhaps on empty tables, and kept: it must be right for full ones."""
    async with Plumber(postgres_url, local_agent=False):
        pass
    scans = await _scans(postgres_url, script)
    whole = [scan for scan in scans if scan["Relation Name"] != "meta" and not _by_key(scan)]
    assert scans and whole == []


def _by_key(scan: dict[str, Any]) -> bool:
    below = [scan, *scan.get("Plans", [])]
    return any("Index Cond" in node for node in below)


async def _scans(url: str, script: Script) -> list[dict[str, Any]]:
    sql, names = script.postgresql
    nothing = ", ".join(["NULL"] * len(names))
    async with await psycopg.AsyncConnection.connect(url, autocommit=True, options=OPTIONS) as connection:
        await connection.execute(b"PREPARE it AS " + sql)
        row = await (await connection.execute(f"EXPLAIN (FORMAT JSON) EXECUTE it({nothing})".encode())).fetchone()
    assert row is not None
    return [node for node in _nodes(row[0][0]["Plan"]) if "Relation Name" in node and "Scan" in node["Node Type"]]


def _nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", []):
        yield from _nodes(below)
