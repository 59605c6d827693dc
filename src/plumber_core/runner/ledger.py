"""What the journal's records mean: one state per attempt, folded from the records in order. Pure: no file, no clock.

    (nothing) ─┬─ void                                  proof that it did not and will not run
               └─ spawning ── running ── exited         the usual life
                     └──────────┴────── unknown         its supervisor died: nobody saw the end

An attempt with any record is never spawned again; a forgotten one leaves a tombstone that says just that. What became
of it is kept as long as there is room (``kept.py``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from plumber_core.runner.journal import NOBODY, Record
from plumber_core.runner.kept import LIFE, Kept


class Entry:
    """One attempt. ``exit`` are the fields of ``ExitInfo``; ``reaped`` the same before the output was drained."""

    __slots__ = ("attempt", "boot", "damaged", "end", "exit", "meta", "pid", "reaped", "state", "ticks", "trimmed")

    def __init__(self, attempt: str, state: str, boot: str = "", meta: dict[str, Any] | None = None) -> None:
        self.attempt = attempt
        self.state = state
        self.boot = boot
        self.meta = meta or {}
        self.pid = 0
        self.ticks = 0
        self.reaped: dict[str, Any] | None = None
        self.exit: dict[str, Any] | None = None
        self.end = 0
        self.trimmed = 0
        self.damaged = False

    def snapshot(self) -> Record:
        """Return one record that stands for all of this attempt's records."""
        fields = {name: getattr(self, name) for name in self.__slots__}
        return {"attempt": self.attempt, "kind": "entry", **fields}

    def view(self) -> dict[str, Any]:
        """Return what the link sees of it."""
        return {
            "attempt": self.attempt,
            "state": self.state,
            "boot_id": self.boot,
            "log_end": self.end,
            "exit": self.exit,
            "meta": self.meta,
        }


class Ledger:
    """Every attempt that the journal knows. ``attached`` is the number of the newest link."""

    def __init__(self) -> None:
        self.entries: dict[str, Entry] = {}
        self.tombstones: dict[str, int] = {}
        self.kept = Kept()
        self.attached = 0

    def knows(self, attempt: str) -> bool:
        """Say whether there is any record, so that it must never be spawned (again)."""
        return attempt in self.entries or attempt in self.tombstones

    def apply(self, record: Record) -> None:
        """Fold one record in; kinds that a newer release wrote are kept out of the way."""
        kind, attempt = record.get("kind"), record["attempt"]
        if kind == "attach":
            self.attached = max(self.attached, record["number"])
        elif kind == "forgotten":
            entry = self.entries.pop(attempt, None)
            self.tombstones[attempt] = record["at"]
            view = record.get("entry") or (entry.view() if entry is not None else None)
            if view is not None and view["state"] in ("exited", "void", "unknown"):
                self.kept.add(record["at"], view)
        elif kind == "revived":
            self._revive(attempt)
        elif attempt not in self.tombstones and kind in _FOLD:
            _FOLD[kind](self._entry(attempt), record)

    def _revive(self, attempt: str) -> None:
        if (view := self.kept.take(attempt)) is not None:
            del self.tombstones[attempt]
            entry = self.entries[attempt] = Entry(attempt, view["state"], view["boot_id"], view["meta"])
            entry.exit, entry.end = view["exit"], view["log_end"]

    def _entry(self, attempt: str) -> Entry:
        if attempt not in self.entries:
            self.entries[attempt] = Entry(attempt, "spawning")
        return self.entries[attempt]

    def damage(self, attempts: set[str]) -> None:
        """Note attempts of which a record is lost: unless their end is still known, it is unknown."""
        for attempt in attempts:
            if attempt not in self.tombstones:
                self._entry(attempt).damaged = True

    def unresolved(self) -> list[Entry]:
        """Return the attempts that have begun and not ended."""
        return [entry for entry in self.entries.values() if entry.state in ("spawning", "running")]

    def compacted(self, now: int) -> Iterator[Record]:
        """Yield the fewest records that say the same; tombstones past their life at ``now`` are dropped."""
        self.tombstones = {a: at for a, at in self.tombstones.items() if now - at < LIFE}
        yield {"attempt": NOBODY, "kind": "attach", "number": self.attached}
        kept = self.kept.records()
        for attempt, at in self.tombstones.items():
            more = {"entry": kept[attempt]} if attempt in kept else {}
            yield {"attempt": attempt, "kind": "forgotten", "at": at, **more}
        for entry in self.entries.values():
            yield entry.snapshot()


def _spawning(entry: Entry, record: Record) -> None:
    entry.boot, entry.meta = record["boot"], record["meta"]


def _started(entry: Entry, record: Record) -> None:
    entry.state, entry.pid, entry.ticks = "running", record["pid"], record["ticks"]


def _reaped(entry: Entry, record: Record) -> None:
    entry.reaped = record["exit"]


def _exit(entry: Entry, record: Record) -> None:
    entry.state, entry.exit, entry.end = "exited", record["exit"], record["end"]


def _void(entry: Entry, record: Record) -> None:
    entry.state, entry.boot = "void", record["boot"]


def _unknown(entry: Entry, record: Record) -> None:
    entry.state, entry.exit, entry.end = "unknown", record["exit"], record["end"]


def _trimmed(entry: Entry, record: Record) -> None:
    entry.trimmed = record["end"]


def _snapshot(entry: Entry, record: Record) -> None:
    for name in Entry.__slots__:
        setattr(entry, name, record[name])


_FOLD: dict[str, Callable[[Entry, Record], None]] = {
    "spawning": _spawning,
    "started": _started,
    "reaped": _reaped,
    "exit": _exit,
    "void": _void,
    "unknown": _unknown,
    "trimmed": _trimmed,
    "entry": _snapshot,
}
