"""Virtual time: an asyncio event loop whose clock jumps to the next timer, and processes that can freeze and die."""

from __future__ import annotations

import asyncio
import contextvars
import heapq
import weakref
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from plumber_core.errors import PlumberError

Context = contextvars.Context
ROUNDS = 50
"""Cancellations after which even the deepest task has ended."""


class Killed(BaseException):
    """Raised into code of a process that has just died, so that it goes no further."""


class Process:
    """Some code that shares one fate: while it is frozen nothing of it runs, and after its death nothing ever."""

    def __init__(self, loop: VirtualLoop, name: str) -> None:
        self.loop, self.name = loop, name
        self.alive = True
        self.frozen = False
        self.inside = False
        """Whether it stands still in the middle of a call: nothing else of it can run, whoever thaws it."""
        self.backlog: list[Handle] = []
        self.tasks: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        self._kept: list[Any] = []
        self.context = contextvars.copy_context()
        self.context.run(_process.set, self)
        loop.processes.append(self)
        self.on_death: Callable[[], None] = lambda: None

    def spawn(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run a coroutine as a part of this process; the dead never get round to it."""
        if not self.alive:
            work.close()
            work = _forever()
        return self.loop.create_task(work, context=self.context.copy())

    def call_soon(self, work: Callable[..., Any], *arguments: Any) -> None:
        """Run a function as a part of this process."""
        self.loop.call_soon(work, *arguments, context=self.context.copy())

    def kill(self) -> None:
        """End it as SIGKILL does: no ``finally`` of it runs."""
        if self.alive:
            self.alive = False
            # Collected now, its coroutines would be closed, and that runs code.
            self._kept = list(self.tasks)
            self.on_death()

    def freeze(self) -> None:
        """Stop it, as SIGSTOP does."""
        self.frozen = True

    def thaw(self) -> None:
        """Let it go on with everything that has come up meanwhile."""
        self.frozen = False
        if self.alive:
            backlog, self.backlog = self.backlog, []
            self.loop.resume(backlog)


_process: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


def current() -> Process | None:
    """Return the process whose code this is."""
    return _process.get()


def check_alive() -> None:
    """Keep the dead from acting on the world.

    Raises:
        Killed: this process has died.
    """
    process = _process.get()
    if process is not None and not process.alive:
        raise Killed


class Handle:
    """Something to be called; looks as asyncio's own do."""

    __slots__ = ("_arguments", "_cancelled", "_when", "_work", "context")

    def __init__(self, work: Callable[..., Any], arguments: tuple[Any, ...], context: Context, when: float) -> None:
        self._work, self._arguments, self.context, self._when = work, arguments, context, when
        self._cancelled = False

    def cancel(self) -> None:
        self._cancelled = True
        self._work, self._arguments = _nothing, ()

    def cancelled(self) -> bool:
        return self._cancelled

    def when(self) -> float:
        return self._when

    def run(self) -> None:
        self.context.run(self._work, *self._arguments)


_Base: Any = asyncio.AbstractEventLoop
"""Most of its methods are about sockets and signals, which nothing here has."""


def _nothing() -> None:
    pass


async def _forever() -> None:
    await asyncio.get_running_loop().create_future()


class VirtualLoop(_Base):  # type: ignore[misc]
    """The parts of an event loop that code without sockets needs. ``faults`` holds what no task has caught."""

    def __init__(self) -> None:
        self._now = 0.0
        self._ready: deque[Handle] = deque()
        self._timers: list[tuple[float, int, Handle]] = []
        self._number = 0
        self.turns = 0
        self.faults: list[BaseException] = []
        self.processes: list[Process] = []
        self._over = False

    def time(self) -> float:
        return self._now

    def call_soon(self, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        handle = Handle(callback, args, context or contextvars.copy_context(), self._now)
        self._ready.append(handle)
        return handle

    def call_later(self, delay: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None) -> Any:
        handle = Handle(callback, args, context or contextvars.copy_context(), when)
        self._number += 1
        heapq.heappush(self._timers, (when, self._number, handle))
        return handle

    def create_future(self) -> asyncio.Future[Any]:
        return asyncio.Future(loop=self)

    def create_task(self, coro: Any, *, name: object = None, context: Context | None = None) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = asyncio.Task(coro, loop=self, name=str(name) if name else None, context=context)
        owner = (context or contextvars.copy_context()).get(_process)
        if owner is not None:
            owner.tasks.add(task)
        return task

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        future = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future

    def get_debug(self) -> bool:
        return False

    def is_running(self) -> bool:
        return True

    def is_closed(self) -> bool:
        return False

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, BaseException) and not isinstance(error, Killed | PlumberError):
            self.faults.append(error)

    def resume(self, handles: list[Handle]) -> None:
        """Take up what a frozen process could not do."""
        self._ready.extend(handles)

    def run(self, until: float, stop: Callable[[], bool]) -> None:
        """Run up to a moment, or until ``stop`` says so when time is about to pass."""
        before = asyncio._get_running_loop()
        asyncio._set_running_loop(self)
        try:
            while not stop():
                self._run_ready()
                if not self._timers or self._timers[0][0] > until:
                    self._now = max(self._now, until)
                    return
                self._advance()
        finally:
            asyncio._set_running_loop(before)

    def wind_up(self) -> None:
        """End every task, of the dead too, so that nothing of this loop is left to run when it is collected."""
        self._over = True
        self._timers.clear()
        for process in self.processes:
            # A task that waits for another's end would wait for ever if the news of it were dropped.
            self._ready.extend(process.backlog)
            process.backlog = []
        for _ in range(ROUNDS):
            tasks = asyncio.all_tasks(self)
            for task in sorted(tasks, key=asyncio.Task.get_name):
                task.cancel()
            if not tasks:
                return
            self.run(self._now, lambda: not self._ready)
            self._timers.clear()

    def _run_ready(self) -> None:
        ready = self._ready
        while ready:
            handle = ready.popleft()
            process = handle.context.get(_process)
            if process is not None and not self._over and (process.frozen or process.inside or not process.alive):
                process.backlog.append(handle)
                continue
            self.turns += not self._over
            try:
                handle.run()
            except Killed:
                pass
            except Exception as error:
                self.faults.append(error)

    def _advance(self) -> None:
        """Let time pass up to the next timer."""
        self._now = max(self._now, self._timers[0][0])
        while self._timers and self._timers[0][0] <= self._now:
            handle = heapq.heappop(self._timers)[2]
            if not handle._cancelled:
                self._ready.append(handle)
