"""What stands around the steps of a drawn task: locks and queues, branches and conditions, what always runs."""

from __future__ import annotations

import random
from typing import Any, NamedTuple

QUEUES: tuple[dict[str, Any], ...] = (
    {},
    {"overlap": "queue"},
    {"limit": 2},
    {"overlap": "skip"},
    {"overlap": "replace"},
    {"max_queued": 1},
)
"""How an execution may wait for its turn; all tasks have the same name, which is their key."""
TASK_LOCKS = ("shop", "site", "site:shared")
STEP_LOCKS = ("site", "site:shared", "door:shared", "door", "host-{agent}", "licence 2")
CONDITIONS = ("success()", "failed()", "always()", "agent.name != 'a1'", "agent.name == 'a2' || failed()")


class Around(NamedTuple):
    """What is drawn for one task. ``needs`` and ``when`` are by the place of a step or block; a lock is as ``locks``
    has it, or a name and how many may hold it."""

    queue: int = 0
    locks: tuple[str, ...] = ()
    step_locks: tuple[str, ...] = ()
    needs: tuple[tuple[int, ...], ...] = ()
    when: tuple[str, ...] = ()
    always: int = 0
    pauses: tuple[bool, ...] = ()

    def written(self) -> dict[str, Any]:
        """Return what the task itself has of it."""
        found: dict[str, Any] = {"concurrency": QUEUES[self.queue]} if self.queue else {}
        return found | ({"locks": [_lock(lock) for lock in self.locks]} if self.locks else {})

    def around(self, place: int, step: dict[str, Any], names: list[str]) -> dict[str, Any]:
        """Return a step or block of a task with what it has of it."""
        found = dict(step)
        if self.needs:
            found["needs"] = [names[need] for need in self.needs[place]]
        if self.when and self.when[place] and not (_in_pool(step) and "agent" in self.when[place]):
            found["when"] = self.when[place]
        inner = [self._locked(place, one) for one in step.get("steps", ())]
        return found | {"steps": inner} if inner else self._locked(place, found)

    def _locked(self, place: int, step: dict[str, Any]) -> dict[str, Any]:
        step = step | {"on_failure": "pause"} if self.pauses and self.pauses[place] else step
        lock = self.step_locks[place] if self.step_locks else ""
        return step | {"locks": [_lock(lock)]} if lock and not (_in_pool(step) and "{agent}" in lock) else step


def _in_pool(step: dict[str, Any]) -> bool:
    """Say whether nobody knows beforehand who will run a step."""
    return isinstance(step.get("on"), str)


def _lock(written: str) -> str | dict[str, Any]:
    name, _, limit = written.partition(" ")
    return {"name": name, "limit": int(limit)} if limit else name


def draw(chance: random.Random, count: int, *, locks: bool, parts: bool, pauses: bool) -> Around:
    """Draw what stands around ``count`` steps and blocks; whoever holds a lock waits for none, so they are in one
    place."""
    found = Around()
    if locks:
        found = found._replace(queue=chance.choice((0, 0, *range(1, len(QUEUES)))))
        if chance.random() < 0.4:
            found = found._replace(locks=(chance.choice(TASK_LOCKS),))
        else:
            found = found._replace(step_locks=tuple(chance.choice(("", *STEP_LOCKS)) for _ in range(count)))
    if parts:
        found = found._replace(always=chance.choice((0, 1, 1, 2)))
        if chance.random() < 0.6:
            found = found._replace(needs=tuple(_needs(chance, place) for place in range(count)))
        if chance.random() < 0.6:
            found = found._replace(when=tuple(chance.choice(("", "", *CONDITIONS)) for _ in range(count)))
    if pauses:
        found = found._replace(pauses=tuple(chance.random() < 0.3 for _ in range(count)))
    return found


def _needs(chance: random.Random, place: int) -> tuple[int, ...]:
    return tuple(need for need in range(place) if chance.random() < 0.5)
