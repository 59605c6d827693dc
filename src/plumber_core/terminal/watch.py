"""Following an execution to its end: every line of every host, then the result.

Takes any ``ControlPlane``, in-process or remote. Events say that something changed and hints that a log grew;
what is shown is always read from the control plane, so a lost event or hint delays a line but never loses it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from plumber_core.control.plane import ControlPlane
from plumber_core.errors import NotFound, Unavailable
from plumber_core.model.states import TERMINAL_EXECUTION_STATES, ExecutionState
from plumber_core.model.views import AttemptView, Event, ExecutionDetail, LogGrowth, LogSlice, StepExecutionView
from plumber_core.terminal.feeds import HostFeed, Order
from plumber_core.terminal.screen import Screen

REFRESH = 10.0
"""Seconds after which the execution is read again although no event came."""
BURST = 0.03
"""Seconds between two readings at least, so that a burst of events costs one."""
PATIENCE = 600.0
"""Seconds for which a server that went away is waited for."""
READERS = 8
RECONNECT = 1.0

Wanted = Callable[[StepExecutionView], bool]
Answer = TypeVar("Answer")


async def watch(
    plane: ControlPlane, execution: str, screen: Screen, *, wanted: Wanted = lambda step: True
) -> ExecutionDetail:
    """Show an execution on ``screen`` until it has ended and every line was shown; return how it ended.

    Raises: NotFound, Unreachable (at the start, or for ten minutes).
    """
    try:
        return await Watcher(plane, execution, screen, wanted).run()
    except BaseExceptionGroup as group:
        raise _first(group) from None
    finally:
        screen.close()


def exit_code(detail: ExecutionDetail) -> int:
    """Return the exit code of a command that waited for an execution."""
    return 0 if detail.state is ExecutionState.SUCCEEDED else 1


class Watcher:
    """One watched execution; use ``watch``."""

    def __init__(self, plane: ControlPlane, execution: str, screen: Screen, wanted: Wanted) -> None:
        self._plane = plane
        self._execution = execution
        self._screen = screen
        self._wanted = wanted
        self._steps: dict[str, StepExecutionView] = {}
        self._feeds: dict[str, HostFeed] = {}
        self._changed = asyncio.Event()
        self._order = Order()
        self._readers = asyncio.Semaphore(READERS)

    async def run(self) -> ExecutionDetail:
        """Do what ``watch`` says; errors come as a group."""
        detail = await self._plane.executions.show(execution=self._execution)
        self._execution = detail.id
        self._screen.begin(detail)
        async with asyncio.TaskGroup() as group:
            self._group = group
            self._apply(detail)
            if detail.state not in TERMINAL_EXECUTION_STATES:
                listener = group.create_task(self._listen(detail.event or None))
                detail = await self._follow_to_end()
                listener.cancel()
            for feed in self._feeds.values():
                feed.finish()
        detail = await self._as_read(detail)
        self._screen.finish(detail)
        return detail

    async def _as_read(self, detail: ExecutionDetail) -> ExecutionDetail:
        """Return an execution that has ended once all of its logs were read: the last of them came after its end."""
        if all(attempt.log_complete for step in detail.steps for attempt in step.attempts):
            return detail
        return await self._patiently(lambda: self._plane.executions.show(execution=self._execution))

    async def _listen(self, after: str | None) -> None:
        while True:
            try:
                async for item in self._plane.follow(execution=self._execution, after=after):
                    after = after if isinstance(item, LogGrowth) else item.id
                    self._take(item)
            except Unavailable as error:
                self._screen.trouble(error)
            self._changed.set()
            await asyncio.sleep(RECONNECT)

    def _take(self, item: Event | LogGrowth) -> None:
        step = self._steps.get(item.step_execution) if isinstance(item, LogGrowth) else None
        if step is None or not isinstance(item, LogGrowth):
            self._changed.set()
        elif self._wanted(step):
            self._feed(step).grew(item.attempt, step)

    async def _follow_to_end(self) -> ExecutionDetail:
        clock = asyncio.get_running_loop().time
        while True:
            began = clock()
            detail = await self._patiently(lambda: self._plane.executions.show(execution=self._execution))
            self._apply(detail)
            if detail.state in TERMINAL_EXECUTION_STATES:
                return detail
            # Reading a large execution takes long: never spend more than a quarter of the time on it.
            await asyncio.sleep(max(BURST, 3 * (clock() - began)))
            await self._wait_for_change()

    async def _wait_for_change(self) -> None:
        try:
            async with asyncio.timeout(REFRESH):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    def _apply(self, detail: ExecutionDetail) -> None:
        attempts: list[tuple[AttemptView, StepExecutionView]] = []
        for step in detail.steps:
            self._steps[step.id] = step
            if self._wanted(step):
                attempts += [(attempt, step) for attempt in step.attempts]
        for attempt, step in sorted(attempts, key=lambda pair: (pair[0].started_at, pair[0].number)):
            self._feed(step).saw(attempt, step)
        self._screen.update(detail)

    def _feed(self, step: StepExecutionView) -> HostFeed:
        if (feed := self._feeds.get(step.host)) is None:
            feed = self._feeds[step.host] = HostFeed(self._read_log, self._screen, self._order, self._changed.set)
            self._group.create_task(feed.run())
        return feed

    async def _read_log(self, attempt: str, offset: int) -> LogSlice:
        async with self._readers:
            try:
                return await self._patiently(lambda: self._plane.read_log(attempt, offset))
            except NotFound:
                return LogSlice(attempt=attempt, offset=offset, data=b"", end=offset, complete=False)

    async def _patiently(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Call again while the server is away, for as long as ``PATIENCE``."""
        clock = asyncio.get_running_loop().time
        deadline, pause = clock() + PATIENCE, 0.2
        while True:
            try:
                return await call()
            except Unavailable as error:
                if clock() > deadline:
                    raise
                self._screen.trouble(error)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 5.0)


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    error = group.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
