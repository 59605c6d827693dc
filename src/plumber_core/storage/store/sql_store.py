"""All parts of the store over one database."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from plumber_core.storage import tables as t
from plumber_core.storage.database import Database
from plumber_core.storage.migrate import upgrade
from plumber_core.storage.store.access import AccessPart
from plumber_core.storage.store.agents import AgentPart
from plumber_core.storage.store.base import now
from plumber_core.storage.store.dispatch import DispatchPart
from plumber_core.storage.store.events import EventPart
from plumber_core.storage.store.executions import ExecutionPart
from plumber_core.storage.store.logs import LogPart
from plumber_core.storage.store.overviews import OverviewPart
from plumber_core.storage.store.reaper import ReaperPart
from plumber_core.storage.store.tasks import TaskPart


class SqlStore(
    AccessPart, TaskPart, AgentPart, ExecutionPart, DispatchPart, ReaperPart, LogPart, EventPart, OverviewPart
):
    """Implements ``ports.Store`` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self.database = database

    async def open(self) -> None:
        """Open the database and bring it to this release's schema.

        Raises: BadDatabaseUrl, SchemaTooNew, StartupError, Unavailable.
        """
        await self.database.open()
        await self.database.migrate(upgrade)

    async def close(self) -> None:
        await self.database.close()

    async def now(self) -> int:
        return int(await self.read(lambda connection: connection.execute(select(now())).scalar_one()))

    async def epoch(self) -> int:
        return int(await self.read(lambda connection: connection.execute(select(t.meta.c.epoch)).scalar_one()))

    async def ping(self) -> None:
        await self.now()

    async def notify(self, payload: str) -> None:
        await self.database.notify(payload)

    async def listen(self, heard: Callable[[str], None]) -> None:
        await self.database.listen(heard)
