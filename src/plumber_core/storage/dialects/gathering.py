"""Hot writes that arrive while a commit is under way share the next one: no timer, and one commit for many agents."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from plumber_core.errors import Unavailable
from plumber_core.reasons import because
from plumber_core.storage.script import Script

MOST = 32
"""Writes in one transaction: their locks are held until the last of them is done."""
SLOW = 0.05
"""Seconds after which a commit under way keeps no newcomer waiting: it may stand behind somebody's lock."""
BUSY = 5.0
"""Seconds for which a write waits for its turn."""


@dataclass(frozen=True, slots=True, eq=False)
class Write:
    """A script with its parameters, one of which names the ``execution``."""

    script: Script
    parameters: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    write: Write
    answer: asyncio.Future[bool]
    patience: asyncio.TimerHandle


class Gathering:
    """Carries out hot writes, each alone while nothing is under way, else together with those that also wait.

    Args:
        alone: carries out one write in a transaction of its own and says whether its guard held.
        together: the same for several in one transaction, in this order; None says that nothing was written, and that
            one of them may be at fault.
        at_once: how many transactions may be under way.
    """

    def __init__(
        self,
        alone: Callable[[Write], Awaitable[bool]],
        together: Callable[[Sequence[Write]], Awaitable[list[bool] | None]],
        at_once: int,
    ) -> None:
        self._alone, self._together, self._at_once = alone, together, at_once
        self._waiting: list[_Waiting] = []
        self._begun: list[float] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, write: Write) -> bool:
        """Carry out a write and say whether its guard held.

        Raises: Unavailable (it never had its turn), and what ``alone`` and ``together`` raise.
        """
        if not self._may_begin():
            return await self._wait(write)
        began = self._begin()
        try:
            return await self._alone(write)
        finally:
            self._ended(began)

    def _may_begin(self) -> bool:
        if not self._begun:
            return True
        return len(self._begun) < self._at_once and time.monotonic() - self._begun[0] > SLOW

    def _begin(self) -> float:
        self._begun.append(time.monotonic())
        return self._begun[-1]

    async def _wait(self, write: Write) -> bool:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(_Waiting(write, answer, loop.call_later(BUSY, self._give_up, answer)))
        return await answer

    def _give_up(self, answer: asyncio.Future[bool]) -> None:
        self._waiting = [waiting for waiting in self._waiting if waiting.answer is not answer]
        if not answer.done():
            answer.set_exception(Unavailable(reason=because("connections_busy")))

    def _ended(self, began: float) -> None:
        """Begin with what has gathered, in a task of its own: no caller may end it for the others."""
        self._begun.remove(began)
        batch, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
        for waiting in batch:
            waiting.patience.cancel()
        batch = [waiting for waiting in batch if not waiting.answer.done()]
        if batch:
            # Everybody locks in the same order, so that two servers do not wait for each other.
            batch.sort(key=lambda waiting: str(waiting.write.parameters["execution"]))
            task = asyncio.create_task(self._carry_out(batch, self._begin()), name="hot writes")
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, batch: list[_Waiting], began: float) -> None:
        try:
            held = await self._together([waiting.write for waiting in batch]) if len(batch) > 1 else None
            for number, waiting in enumerate(batch):
                _answer(waiting, await self._alone_or_error(waiting.write) if held is None else held[number])
        except Exception as error:
            for waiting in batch:
                _answer(waiting, error)
        finally:
            for waiting in batch:
                waiting.answer.cancel()
            self._ended(began)

    async def _alone_or_error(self, write: Write) -> bool | Exception:
        try:
            return await self._alone(write)
        except Exception as error:
            return error


def _answer(waiting: _Waiting, result: bool | Exception) -> None:
    if waiting.answer.done():
        return
    if isinstance(result, Exception):
        waiting.answer.set_exception(result)
    else:
        waiting.answer.set_result(result)
