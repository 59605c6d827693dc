"""An ``AgentLoop`` between a double of the supervisor and a scripted server."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

from plumber_core.protocol.messages import Renew
from plumber_core.runner.loop import AgentLoop
from plumber_core.runner.session_chain import SessionChain
from plumber_core.runner.supervision import SupervisorClient
from support.fake_supervisor import FakeSupervisor
from support.scripted_server import ScriptedServer
from support.waiting import wait_until


class Linked:
    """A running loop. ``supervisors`` are all that were attached, the newest last."""

    def __init__(self, folder: Path, server: ScriptedServer, supervisor: FakeSupervisor, **options: Any) -> None:
        self.folder, self.server = folder, server
        self.supervisors: list[FakeSupervisor] = []
        self._first = supervisor
        self.loop = AgentLoop(self._attach, server.connect, SessionChain(folder), workdir=folder, **options)
        self.task = asyncio.create_task(self.loop.run())

    async def _attach(self) -> SupervisorClient:
        known = self.supervisors
        fresh = self._first if not known else FakeSupervisor(self.folder)
        if known:
            fresh.records, fresh.logs, fresh.tombstones = known[-1].records, known[-1].logs, known[-1].tombstones
            fresh.kept = known[-1].kept
        known.append(fresh)
        return cast(SupervisorClient, fresh)

    @property
    def hands(self) -> FakeSupervisor:
        """The newest supervisor."""
        return self.supervisors[-1] if self.supervisors else self._first

    async def ready(self, sessions: int = 1) -> None:
        """Wait until the ``sessions``-th session has renewed once."""
        await wait_until(lambda: sum(m.beat == 1 for m in self.server.of(Renew)) >= sessions)


@contextlib.asynccontextmanager
async def linked(
    folder: Path, server: ScriptedServer, supervisor: FakeSupervisor | None = None, **options: Any
) -> AsyncIterator[Linked]:
    """Run a loop for the length of a block."""
    link = Linked(folder, server, supervisor or FakeSupervisor(folder), **options)
    try:
        yield link
    finally:
        link.loop.stop()
        await link.task
