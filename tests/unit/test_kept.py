"""What is kept of settled attempts: for a while, and no more than there is room for."""

from __future__ import annotations

from typing import Any

from plumber_core.runner.kept import LIFE, MOST, MOST_META, Kept
from plumber_core.runner.ledger import Ledger


def view(attempt: str, **values: Any) -> dict[str, Any]:
    base = {"attempt": attempt, "state": "exited", "boot_id": "b", "log_end": 100, "exit": {"state": "succeeded"}}
    return {**base, "meta": {"step": "s"}, **values}


def views(kept: Kept) -> list[dict[str, Any]]:
    return list(kept.records().values())


def test_the_oldest_go_when_their_time_is_over() -> None:
    kept = Kept()
    kept.add(1000, view("a"))
    kept.add(2000, view("b"))
    assert list(kept.surplus(1000 + LIFE, everything=False)) == []
    assert list(kept.surplus(1001 + LIFE, everything=False)) == [("a", False)]
    assert views(kept) == [view("b")]


def test_the_files_of_the_oldest_go_when_all_take_too_much_disk_and_what_became_of_them_stays() -> None:
    kept = Kept()
    kept.limit = 50_000
    kept.add(1, view("void", state="void", exit=None))
    for name in "abc":
        kept.add(1, view(name, log_end=10_000))
    assert [attempt for attempt, _ in kept.surplus(1, everything=False)] == ["a"]
    assert [attempt for attempt, _ in kept.surplus(1, everything=False)] == []
    assert [found["attempt"] for found in views(kept)] == ["void", "a", "b", "c"]


def test_no_more_than_so_many_are_kept() -> None:
    kept = Kept()
    for number in range(MOST + 2):
        kept.add(1, view(str(number), log_end=0))
    assert [attempt for attempt, _ in kept.surplus(1, everything=False)] == ["0", "1"]
    assert len(views(kept)) == MOST


def test_all_files_go_when_the_disk_is_needed_and_those_in_use_are_told() -> None:
    kept = Kept()
    kept.add(1, view("a", exit={"state": "succeeded", "orphans": 1}))
    kept.add(1, view("b", state="unknown", exit=None))
    kept.add(1, view("void", state="void", exit=None))
    assert list(kept.surplus(1, everything=True)) == [("a", True), ("b", True)]
    assert list(kept.surplus(1, everything=True)) == []


def test_what_has_no_files_any_more_is_still_known_and_has_none_to_give_when_it_is_too_old() -> None:
    """A database that forgets asks again: who has no answer is taken for one that never ran it."""
    kept = Kept()
    kept.add(10, view("a"))
    assert list(kept.surplus(10, everything=True)) == [("a", False)]
    assert kept.settled_since(10) == ["a"]
    assert kept.take("a") == view("a")
    kept.add(10, view("b"))
    assert list(kept.surplus(10, everything=True)) == [("b", False)]
    assert list(kept.surplus(11 + LIFE, everything=True)) == []
    assert views(kept) == []


def test_only_what_was_settled_since_is_shown_and_large_notes_are_left_out() -> None:
    kept = Kept()
    kept.add(10, view("a"))
    kept.add(20, view("b", meta={"note": "x" * MOST_META}))
    assert kept.settled_since(11) == ["b"]
    assert kept.take("b") == view("b", meta={})
    assert kept.take("b") is None


def test_a_journal_rewritten_keeps_what_was_kept() -> None:
    ledger = Ledger()
    for record in (
        {"attempt": "a", "kind": "spawning", "boot": "b", "meta": {"step": "s"}},
        {"attempt": "a", "kind": "exit", "exit": {"state": "succeeded"}, "end": 100},
        {"attempt": "a", "kind": "forgotten", "at": 5},
        {"attempt": "v", "kind": "void", "boot": "b"},
        {"attempt": "v", "kind": "forgotten", "at": 6},
    ):
        ledger.apply(record)
    again = Ledger()
    for record in ledger.compacted(10):
        again.apply(record)
    assert again.kept.records() == ledger.kept.records()
    assert [found["state"] for found in views(again.kept)] == ["exited", "void"]
    assert again.entries == {}


def test_what_is_revived_is_as_it_was() -> None:
    ledger = Ledger()
    ledger.apply({"attempt": "a", "kind": "spawning", "boot": "b", "meta": {"step": "s"}})
    ledger.apply({"attempt": "a", "kind": "exit", "exit": {"state": "succeeded"}, "end": 100})
    before = ledger.entries["a"].view()
    for kind in ("forgotten", "revived", "forgotten", "revived", "revived"):
        ledger.apply({"attempt": "a", "kind": kind, "at": 5})
    assert ledger.entries["a"].view() == before
    assert (ledger.kept.records(), ledger.tombstones) == ({}, {})
