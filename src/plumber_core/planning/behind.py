"""Who waits for whom where locks and queues are asked for, as far as it matters that nobody waits for himself. Pure.

An execution that has its place in a queue goes on to ask for the locks of its steps; whoever waits for its end waits
for them, too. What one step holds comes back by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from plumber_core.model.holds import Hold


class Behind:
    """Grows while those who ask are gone through in order: by holders, which an execution is one of itself."""

    def __init__(self) -> None:
        self._followers: dict[str, set[str]] = defaultdict(set)
        self._whole: dict[str, list[str]] = defaultdict(list)
        self._passed: dict[str, list[Hold]] = {}
        self._known: dict[str, set[str]] = {}

    def closer(self, asking: Hold, closed: Sequence[Hold]) -> Hold | None:
        """Return the last of those who have closed something that does so to who is asking: those who wait for the end
        of his execution do not."""
        behind = self._behind(asking.execution_id) if closed and asking.holder != asking.execution_id else ()
        passed: list[Hold] = []
        for one in reversed(closed):
            if one.holder not in behind:
                self._passed.setdefault(asking.holder, []).extend(passed)
                return one
            passed.append(one)
        return None

    def holds(self, hold: Hold) -> None:
        """Note who holds something."""
        if hold.holder == hold.execution_id:
            self._whole[hold.wanted.name].append(hold.holder)

    def waits(self, holds: Sequence[Hold], closers: Sequence[Hold | None]) -> None:
        """Note for whom somebody waits who asks for ``holds``: behind the last one who has closed each of them, who
        waits for those before him, and for the executions that hold it themselves."""
        who = holds[0]
        if who.holder != who.execution_id:
            self._note(who.execution_id, who.holder)
        for closer in filter(None, closers):
            for one in (closer, *self._passed.get(closer.holder, ())):
                self._note(who.holder, one.holder)
        for hold in holds:
            for holder in self._whole.get(hold.wanted.name, ()):
                self._note(who.holder, holder)

    def _note(self, waiting: str, awaited: str) -> None:
        self._followers[awaited].add(waiting)
        stale = [one for one, behind in self._known.items() if awaited == one or awaited in behind]
        for one in stale:
            if waiting not in self._known[one]:
                del self._known[one]

    def _behind(self, execution: str) -> set[str]:
        """Return who waits for the end of an execution, by himself or behind others."""
        if execution in self._known or execution not in self._followers:
            return self._known.get(execution, set())
        found, waiting = set[str](), [execution]
        while waiting:
            new = self._followers.get(waiting.pop(), set()) - found
            found |= new
            waiting += new
        self._known[execution] = found
        return found
