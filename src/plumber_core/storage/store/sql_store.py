"""All parts of the store over one database."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select

from plumber_core.crash import crash_point
from plumber_core.storage import tables as t
from plumber_core.storage.database import Database
from plumber_core.storage.migrate import upgrade
from plumber_core.storage.store.absence import AbsencePart
from plumber_core.storage.store.access import AccessPart
from plumber_core.storage.store.adoption import AdoptionPart
from plumber_core.storage.store.agents import AgentPart
from plumber_core.storage.store.base import now
from plumber_core.storage.store.batches import BatchPart
from plumber_core.storage.store.cancelling import CancelPart
from plumber_core.storage.store.cursors import CursorPart
from plumber_core.storage.store.deliveries import DeliveryPart
from plumber_core.storage.store.dispatch import DispatchPart
from plumber_core.storage.store.events import EventPart
from plumber_core.storage.store.executions import ExecutionPart
from plumber_core.storage.store.groups import GroupPart
from plumber_core.storage.store.holds import HoldPart
from plumber_core.storage.store.logs import LogPart
from plumber_core.storage.store.overviews import OverviewPart
from plumber_core.storage.store.pausing import PausePart
from plumber_core.storage.store.pools import PoolPart
from plumber_core.storage.store.reaper import ReaperPart
from plumber_core.storage.store.retention import RetentionPart
from plumber_core.storage.store.rounds import RoundPart
from plumber_core.storage.store.tasks import TaskPart
from plumber_core.storage.store.turns import TurnPart

FORGOTTEN_MARGIN = 600.0
"""Seconds: agents count how long ago something was by their own clocks."""


class SqlStore(
    AccessPart,
    TaskPart,
    AgentPart,
    GroupPart,
    AdoptionPart,
    ExecutionPart,
    DispatchPart,
    PoolPart,
    BatchPart,
    RoundPart,
    TurnPart,
    PausePart,
    CancelPart,
    ReaperPart,
    AbsencePart,
    HoldPart,
    RetentionPart,
    LogPart,
    EventPart,
    CursorPart,
    DeliveryPart,
    OverviewPart,
):
    """Implements ``ports.Store`` on SQLite and PostgreSQL."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.on_epoch: Callable[[int], None] = lambda epoch: None

    async def open(self) -> None:
        """Open the database and bring it to this release's schema.

        Raises: BadDatabaseUrl, SchemaTooNew, StartupError, Unavailable.
        """
        await self.database.open()
        crash_point("server.migrate.before_commit")
        await self.database.migrate(upgrade)
        crash_point("server.migrate.after_commit")
        await self.database.watch(lambda epoch: self.on_epoch(epoch))

    async def close(self) -> None:
        await self.database.close()

    async def now(self) -> int:
        return int(await self.read(lambda connection: connection.execute(select(now())).scalar_one()))

    async def epoch(self) -> int:
        return int(await self.read(lambda connection: connection.execute(select(t.meta.c.epoch)).scalar_one()))

    async def forgotten(self) -> float:
        query = select(t.meta.c.known_until, now())
        known_until, moment = await self.read(lambda connection: connection.execute(query).one())
        return (moment - known_until) / 1_000_000 + FORGOTTEN_MARGIN if known_until else 0.0

    async def ping(self) -> None:
        await self.now()

    async def notify(self, payload: str) -> None:
        await self.database.notify(payload)

    async def listen(self, heard: Callable[[str], None]) -> None:
        await self.database.listen(heard)
