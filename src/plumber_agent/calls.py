"""The calls of a peer that are one question and one answer: alike over every transport."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable
from typing import Any

from plumber_core.protocol.messages import (
    Hello,
    NeverRan,
    Permit,
    Renew,
    Renewed,
    Report,
    Reported,
    Start,
    Welcome,
)


class Calls(ABC):
    """The part of ``protocol.peer.Peer`` that a transport gets for its ``_call``."""

    @abstractmethod
    def _call(self, method: str, message: Any) -> Awaitable[Any]:
        """Send a message and return its answer to come.

        Raises:
            PeerError, PlumberError: what came instead.
        """

    async def hello(self, message: Hello) -> Welcome:
        answer: Welcome = await self._call("hello", message)
        return answer

    async def renew(self, message: Renew) -> Renewed:
        answer: Renewed = await self._call("renew", message)
        return answer

    async def start(self, message: Start) -> Permit:
        answer: Permit = await self._call("start", message)
        return answer

    def report(self, message: Report) -> Awaitable[Reported]:
        return self._call("report", message)

    async def never_ran(self, message: NeverRan) -> None:
        await self._call("never_ran", message)
