"""The record that a command has begun: durable soon, or a machine that loses its power would know nothing of it."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from plumber_core.runner.attempt import Running
from plumber_core.runner.beginnings import NOTED_AFTER, Beginnings
from plumber_core.runner.book import SYNC_WITHIN, Book


def test_a_command_that_goes_on_is_on_the_disk_soon(tmp_path: Path) -> None:
    book = Book(str(tmp_path / "journal"))
    book.write({"attempt": "a", "kind": "spawning", "boot": "b", "meta": {}})
    run = Running("a", {}, cast(Any, SimpleNamespace(blocked=False)))
    run.begin(pid=7, started=100.0)
    beginnings = Beginnings(book)
    beginnings.add(run)
    [due] = beginnings.due(100.0 + NOTED_AFTER)
    assert book.journal.dirty and math.isinf(book.deadline())
    beginnings.note(due)
    assert SYNC_WITHIN <= 0.015 and not math.isinf(book.deadline())
    book.tick(book.deadline())
    assert not book.journal.dirty and book.ledger.entries["a"].state == "running"
