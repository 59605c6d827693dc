"""What the engine needs from outside: a store, in one part for each noun.

The one implementation of ``Store`` is ``storage.SqlStore``; SQLite in memory is the fake. Every method is one
transaction unless it says otherwise; guards that fail return False or None, and nothing was changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Protocol

from plumber_core.ports.access import AccessStore
from plumber_core.ports.adoption import AdoptionStore
from plumber_core.ports.events import EventStore
from plumber_core.ports.executions import ExecutionStore
from plumber_core.ports.fleet import AgentStore
from plumber_core.ports.holds import HoldStore
from plumber_core.ports.logs import LogStore
from plumber_core.ports.looks import OverviewStore
from plumber_core.ports.notices import NoticeStore
from plumber_core.ports.tasks import TaskStore
from plumber_core.ports.upkeep import ReaperStore, RetentionStore


class Store(
    AccessStore,
    TaskStore,
    AgentStore,
    AdoptionStore,
    ExecutionStore,
    ReaperStore,
    HoldStore,
    RetentionStore,
    LogStore,
    EventStore,
    NoticeStore,
    OverviewStore,
    Protocol,
):
    """Everything durable. ``on_epoch`` is told the epoch of another database that was found in the place of this one,
    before anything is read from it or written to it."""

    on_epoch: Callable[[int], None]

    @property
    def dialect(self) -> str: ...

    @property
    def counts(self) -> Counter[str]:
        """What happened how often: the metrics of this process."""
        ...

    async def open(self) -> None: ...

    async def close(self) -> None: ...

    async def now(self) -> int: ...

    async def epoch(self) -> int: ...

    async def forgotten(self) -> float:
        """Return how many seconds ago the moment was up to which nothing was forgotten; 0.0 when nothing ever was."""
        ...

    async def ping(self) -> None:
        """Raise Unavailable when the database does not answer."""
        ...

    async def notify(self, payload: str) -> None:
        """Tell the other replicas; a hint that may be lost."""
        ...

    async def listen(self, heard: Callable[[str], None]) -> None:
        """Call ``heard`` with other replicas' hints until cancelled. Returns at once where there are none."""
        ...
