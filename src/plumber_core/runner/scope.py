"""A scope of tasks that live and die together; the first failure ends all of them, unwrapped."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any, Self


class TaskScope:
    """Like ``asyncio.TaskGroup``, but the owner sees the first failure itself and tasks may come at any time."""

    def __init__(self) -> None:
        self._tasks: dict[asyncio.Task[Any], None] = {}
        self.closed = False
        """Whether nothing begins here any more."""
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def start(self, work: Coroutine[Any, Any, Any]) -> None:
        """Run ``work`` in this scope; it never begins once the scope is closing."""
        if self.closed:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work)
        self._tasks[task] = None
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.pop(task, None)
        if task.cancelled():
            return
        error = task.exception()
        if error is not None and not self._failure.done():
            self._failure.set_exception(error)

    async def wait(self) -> None:
        """Wait for the first failure and raise it."""
        await asyncio.shield(self._failure)

    async def close(self) -> None:
        """Cancel whatever still runs and wait for its end."""
        self.closed = True
        for task in tuple(self._tasks):
            task.cancel()
        while self._tasks:
            await asyncio.wait(tuple(self._tasks))
        self._failure.cancel()
        if not self._failure.cancelled():
            self._failure.exception()
