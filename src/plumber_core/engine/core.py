"""``Engine``: what every verb needs. It holds no truth: kill it at any line and another goes on from the database."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Coroutine
from typing import Any

from plumber_core.engine.caches import Executions, Fleet
from plumber_core.engine.connections import Connections
from plumber_core.engine.source import Source
from plumber_core.engine.wakeups import Wakeups
from plumber_core.ids import new_id
from plumber_core.ports import Store


class Engine:
    """Shared state of one replica."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.server_id = new_id()
        self.connections = Connections()
        self.executions = Executions(store)
        self.fleet = Fleet(store)
        self.wakeups = Wakeups(store, self.server_id)
        self.counts: Counter[str] = Counter()
        self.epoch = 0
        self.sources: dict[str, Source] = {}
        """Newest revisions by task name or id; a stale one fails the guard of the write."""
        self.public_url = ""
        self._tasks: set[asyncio.Task[Any]] = set()

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run something beside the caller; ``stop`` ends it."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def stop(self) -> None:
        """End everything that runs beside."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def heartbeat(self) -> float:
        """The heartbeat interval that agents are told, in seconds."""
        return self.connections.heartbeat
