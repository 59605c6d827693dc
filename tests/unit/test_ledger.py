from __future__ import annotations

from typing import Any

import pytest

from plumber_core.runner.kept import LIFE
from plumber_core.runner.ledger import Ledger

EXIT = {"state": "failed", "exit_code": 3}


def folded(*records: dict[str, Any]) -> Ledger:
    ledger = Ledger()
    for record in records:
        ledger.apply({"attempt": "a", **record})
    return ledger


SPAWNING = {"kind": "spawning", "boot": "b", "meta": {"k": 1}}
STARTED = {"kind": "started", "pid": 5, "ticks": 6}
REAPED = {"kind": "reaped", "exit": EXIT}
ENDED = {"kind": "exit", "exit": EXIT, "end": 9}
FORGOTTEN = {"kind": "forgotten", "at": 1000}


@pytest.mark.parametrize(
    ("records", "state"),
    [
        ([SPAWNING], "spawning"),
        ([SPAWNING, STARTED], "running"),
        ([SPAWNING, STARTED, REAPED], "running"),
        ([SPAWNING, STARTED, ENDED], "exited"),
        ([SPAWNING, ENDED], "exited"),
        ([{"kind": "void", "boot": "b"}], "void"),
        ([SPAWNING, {"kind": "void", "boot": "b"}], "void"),
        ([SPAWNING, STARTED, {"kind": "unknown", "exit": EXIT, "end": 1}], "unknown"),
        ([SPAWNING, {"kind": "from_a_newer_release"}], "spawning"),
    ],
)
def test_records_make_a_state(records: list[dict[str, Any]], state: str) -> None:
    ledger = folded(*records)
    assert ledger.entries["a"].state == state
    assert ledger.knows("a")
    assert [e.attempt for e in ledger.unresolved()] == (["a"] if state in ("spawning", "running") else [])


def test_a_forgotten_attempt_is_known_and_nothing_else() -> None:
    ledger = folded(SPAWNING, STARTED, ENDED, FORGOTTEN, STARTED)
    assert ledger.entries == {}
    assert ledger.knows("a")


def test_damage_matters_only_where_the_end_is_not_known() -> None:
    ended = folded(SPAWNING, ENDED)
    ended.damage({"a"})
    assert ended.unresolved() == []
    begun = folded(SPAWNING)
    begun.damage({"a", "b"})
    assert [(e.attempt, e.damaged) for e in begun.unresolved()] == [("a", True), ("b", True)]
    gone = folded(SPAWNING, ENDED, FORGOTTEN)
    gone.damage({"a"})
    assert gone.unresolved() == []


@pytest.mark.parametrize("records", [[SPAWNING], [SPAWNING, STARTED, REAPED], [SPAWNING, ENDED], [SPAWNING, FORGOTTEN]])
def test_compaction_changes_nothing(records: list[dict[str, Any]]) -> None:
    before = folded({"attempt": "-", "kind": "attach", "number": 4}, *records)
    after = Ledger()
    for record in before.compacted(now=1001):
        after.apply(record)
    assert after.attached == 4
    assert after.tombstones == before.tombstones
    assert {a: e.snapshot() for a, e in after.entries.items()} == {a: e.snapshot() for a, e in before.entries.items()}


def test_tombstones_live_a_day() -> None:
    ledger = folded(SPAWNING, ENDED, FORGOTTEN)
    assert len(list(ledger.compacted(now=999 + LIFE))) == 2
    assert len(list(ledger.compacted(now=1000 + LIFE))) == 1
    assert not ledger.knows("a")
