"""``BoundPlane``: the control plane for one caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from plumber_core.control import nouns
from plumber_core.engine import events, log_reading
from plumber_core.engine.operations.agents import AgentOperations
from plumber_core.engine.operations.base import Desk
from plumber_core.engine.operations.executions import ExecutionOperations
from plumber_core.engine.operations.executors import ExecutorOperations
from plumber_core.engine.operations.groups import GroupOperations
from plumber_core.engine.operations.notices import NotificationOperations
from plumber_core.engine.operations.sessions import SessionOperations, SystemOperations, TokenOperations
from plumber_core.engine.operations.subscribers import SubscriberOperations
from plumber_core.engine.operations.tasks import TaskOperations
from plumber_core.model.records import LogPlace
from plumber_core.model.views import Event, LogGrowth, LogSlice, Position


class BoundPlane:
    """Implements ``control.plane.ControlPlane``: every call is authorised for its caller."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._tasks = TaskOperations(desk)

    @property
    def sessions(self) -> nouns.Sessions:
        return SessionOperations(self._desk)

    @property
    def tokens(self) -> nouns.Tokens:
        return TokenOperations(self._desk)

    @property
    def tasks(self) -> nouns.Tasks:
        return self._tasks

    @property
    def executions(self) -> nouns.Executions:
        return ExecutionOperations(self._desk)

    @property
    def agents(self) -> nouns.Agents:
        return AgentOperations(self._desk)

    @property
    def groups(self) -> nouns.Groups:
        return GroupOperations(self._desk)

    @property
    def executors(self) -> nouns.Executors:
        return ExecutorOperations(self._desk)

    @property
    def notifications(self) -> nouns.Notifications:
        return NotificationOperations(self._desk)

    @property
    def subscribers(self) -> nouns.Subscribers:
        return SubscriberOperations(self._desk)

    @property
    def system(self) -> nouns.System:
        return SystemOperations(self._desk)

    async def read_log(
        self,
        attempt: str,
        offset: int = 0,
        limit: int = 1024 * 1024,
        *,
        line: int | None = None,
        tail: int | None = None,
    ) -> LogSlice:
        await self._desk.allow("log:read", attempt)
        return await log_reading.read_log(self._desk.engine, attempt, LogPlace(offset, line, tail), limit)

    async def follow(
        self, *, execution: str | None = None, after: str | None = None
    ) -> AsyncIterator[Event | LogGrowth]:
        await self._desk.allow("event:follow", execution)
        async for item in events.follow(self._desk.engine, execution, after):
            yield item

    async def feed(
        self, *, execution: str | None = None, after: str | None = None
    ) -> AsyncIterator[Sequence[Position | Event | LogGrowth]]:
        """See ``Feeding.feed``."""
        await self._desk.allow("event:follow", execution)
        async for items in events.feed(self._desk.engine, execution, after):
            yield items
