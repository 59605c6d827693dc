"""Who may hold what: fair in order, and nobody gets a part of what he asks for. Pure functions.

There is one rule for exclusive and shared locks, semaphores and queues of executions: something may get one more
holder as long as none of its holders, nor the new one, minds so many. Exclusive minds two, shared minds none, a limit
of n minds n + 1. Whoever asks gets all of it or nothing, so nobody holds what another wants while he waits for that
one; and who has to wait closes all that he asks for to those who came later, so nobody is passed over for ever.

With one exception: an execution holds its place in a queue while its steps ask for locks. Who waits for that execution,
by himself or behind others, closes nothing to its steps: each would wait for the other.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from plumber_core.model.holds import Hold, Verdict
from plumber_core.planning.behind import Behind


def admit(rows: Iterable[Hold]) -> Verdict:
    """Decide over everything that is held or asked for under some names.

    Args:
        rows: all holds of those names, and of the names that those who ask for them ask for too.
    """
    walk = _Walk()
    asking: dict[str, list[Hold]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: row.id):
        if row.granted:
            walk.hold(row)
        else:
            asking[row.holder].append(row)
    for holds in sorted(asking.values(), key=_place):
        walk.ask(holds)
    return Verdict(tuple(walk.granted), walk.refused, walk.replaced)


def _place(holds: Sequence[Hold]) -> tuple[int, int]:
    return -max(hold.wanted.priority for hold in holds), holds[0].id


@dataclass
class _Walk:
    """Goes through those who ask, in order. ``closed`` is what somebody before waits for."""

    granted: list[str] = field(default_factory=list)
    refused: dict[str, dict[str, Any]] = field(default_factory=dict)
    replaced: dict[str, str] = field(default_factory=dict)
    held: dict[str, list[Hold]] = field(default_factory=lambda: defaultdict(list))
    closed: dict[str, list[Hold]] = field(default_factory=lambda: defaultdict(list))
    queue: Behind = field(default_factory=Behind)

    def hold(self, row: Hold) -> None:
        self.held[row.wanted.name].append(row)
        self.queue.holds(row)

    def ask(self, holds: Sequence[Hold]) -> None:
        closers = [self.queue.closer(hold, self.closed.get(hold.wanted.name, ())) for hold in holds]
        if not any(closers) and all(self._has_room(hold) for hold in holds):
            self.granted.append(holds[0].holder)
            for hold in holds:
                self.hold(hold)
            return
        for hold in holds:
            if (refusal := self._refusal(hold)) is not None:
                self.refused[hold.holder] = refusal
                return
        for hold in holds:
            if hold.wanted.overlap == "replace":
                self._replace(hold)
            self.closed[hold.wanted.name].append(hold)
        self.queue.waits(holds, closers)

    def _has_room(self, hold: Hold) -> bool:
        name = hold.wanted.name
        minds = [one.wanted.most for one in (*self.held[name], hold) if one.wanted.most is not None]
        return not minds or len(self.held[name]) < min(minds)

    def _refusal(self, hold: Hold) -> dict[str, Any] | None:
        """One more execution is not let into a queue that is full, or that is none."""
        wanted = hold.wanted
        waiting = len(self.closed[wanted.name]) if wanted.name in self.closed else 0
        if wanted.overlap == "skip":
            holders = self.held[wanted.name] or self.closed.get(wanted.name, [])
            by = holders[0].execution_id if holders else ""
            return {"code": "overlap_skipped", "arguments": {"key": wanted.label, "by": by}}
        if wanted.overlap == "queue" and wanted.most_waiting is not None and waiting >= wanted.most_waiting:
            return {"code": "queue_full", "arguments": {"key": wanted.label, "limit": wanted.most_waiting}}
        return None

    def _replace(self, hold: Hold) -> None:
        """Whoever came before and waits has to go, and as many of those who run as there is no room beside."""
        name, most = hold.wanted.name, hold.wanted.most or 1
        running = [one for one in self.held[name] if one.id < hold.id]
        too_many = len(self.held[name]) - most + 1
        waiting = [one for one in self.closed.get(name, ()) if one.id < hold.id]
        for one in (*running[: max(0, too_many)], *waiting):
            self.replaced[one.execution_id] = hold.execution_id
