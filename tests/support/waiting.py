"""Waiting for something to become true: the only place of the tests that sleeps."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from typing import Any

_LONGEST_PAUSE = 0.1


class Overdue(AssertionError):
    """What a test waited for did not happen in time."""


async def wait_until(predicate: Callable[[], Any | Awaitable[Any]], timeout: float = 10.0, what: str = "") -> Any:
    """Ask ``predicate`` (plain or async) until its answer is true, and return that answer.

    Args:
        predicate: called at once, then after ever longer pauses, at most 0.1 s apart.
        timeout: in seconds.
        what: completes "waited 10 s for ..." in the failure; the predicate's source line when empty.

    Raises: Overdue.
    """
    end, pause = time.monotonic() + timeout, 0.002
    while True:
        answer = predicate()
        if inspect.isawaitable(answer):
            answer = await answer
        if answer:
            return answer
        if time.monotonic() > end:
            raise Overdue(_complaint(predicate, timeout, what))
        await asyncio.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)


def wait_until_sync(predicate: Callable[[], Any], timeout: float = 10.0, what: str = "") -> Any:
    """Do what ``wait_until`` does where no event loop runs.

    Raises: Overdue.
    """
    end, pause = time.monotonic() + timeout, 0.002
    while not (answer := predicate()):
        if time.monotonic() > end:
            raise Overdue(_complaint(predicate, timeout, what))
        time.sleep(pause)
        pause = min(pause * 1.5, _LONGEST_PAUSE)
    return answer


def _complaint(predicate: Callable[[], Any], timeout: float, what: str) -> str:
    try:
        described = what or inspect.getsource(predicate).strip()
    except (OSError, TypeError):
        described = repr(predicate)
    return f"waited {timeout:g} s for {described}"
