"""``Engine``: what every verb needs. It holds no truth: kill it at any line and another goes on from the database."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable
from typing import Any

from plumber_core.engine.caches import Executions, Fleet
from plumber_core.engine.clock import ClockWatch, monotonic
from plumber_core.engine.connections import Connections
from plumber_core.engine.source import Source
from plumber_core.engine.wakeups import Wakeups
from plumber_core.errors import PlumberError
from plumber_core.ids import new_id
from plumber_core.model.limits import Patience, Retention
from plumber_core.model.notices import NoticeSettings
from plumber_core.model.records import Term
from plumber_core.ports import Store

log = logging.getLogger(__name__)


def said(what: str, error: BaseException) -> None:
    """Say that work which nobody waits for has failed: a sweep stands behind what the database's absence costs,
    anything else is a defect."""
    if isinstance(error, PlumberError):
        log.info("%s: %s", what, error)
    else:
        asyncio.get_running_loop().call_exception_handler({"message": f"{what} failed", "exception": error})


class Engine:
    """Shared state of one replica."""

    def __init__(self, store: Store, patience: Patience | None = None, steady: Callable[[], float] = monotonic) -> None:
        self.store = store
        self.patience = patience or Patience()
        self.server_id = new_id()
        self.connections = Connections()
        self.executions = Executions(store)
        self.fleet = Fleet(store)
        self.fleet.seen = self.connections.follow
        self.wakeups = Wakeups(store, self.server_id)
        self.counts = store.counts
        self.epoch = 0
        self.sources: dict[str, Source] = {}
        """Newest revisions by task name or id; a stale one fails the guard of the write."""
        self.pools: dict[str, tuple[str, ...]] = {}
        """Agents of pools by their ids; they never change."""
        self.alarms: set[int] = set()
        """When somebody looks for retries, in tenths of a second of the loop's clock."""
        self.openings: set[int] = set()
        """The same for batches whose pauses are over."""
        self.asked: set[str] = set()
        """What was asked for, or given back, since somebody looked who may hold it; ``everything`` for all of it."""
        self.asking = asyncio.Event()
        self.retention = Retention()
        self.term: Term | None = None
        """While this replica leads: it does what time brings about."""
        self.deleting = False
        self.clock = ClockWatch()
        self.steady = steady
        """Seconds on a clock that never jumps, time asleep included."""
        self.public_url = ""
        self.notices = NoticeSettings()
        """Who is told of every task."""
        self.outbox = asyncio.Event()
        """Something was written that is to be delivered."""
        self._tasks: set[asyncio.Task[Any]] = set()
        store.on_epoch = self.learn_epoch

    def spawn(self, work: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        """Run something beside the caller; ``stop`` ends it. That it failed is said, and nobody else's trouble."""
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def ask(self, names: Iterable[str]) -> None:
        """Have somebody look who may hold these now (``admission.py``)."""
        self.asked.update(names)
        if self.asked:
            self.asking.set()

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            said(task.get_name(), error)

    async def stop(self) -> None:
        """End everything that runs beside."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def learn_epoch(self, epoch: int) -> None:
        """Note the database's epoch. With another one nothing holds that was remembered: agents have to greet anew."""
        if epoch <= self.epoch:
            return
        self.epoch = epoch
        self.connections.leave_epoch(epoch)
        self.executions.forget_all()
        self.fleet.stale()
        self.sources.clear()
        self.wakeups.end_all()

    @property
    def heartbeat(self) -> float:
        """The heartbeat interval that agents are told, in seconds."""
        return self.connections.heartbeat
