"""The one table of everything that happened."""

from __future__ import annotations

from typing import Any, Protocol

from plumber_core.model import records as r


class EventStore(Protocol):
    """The append-only event log."""

    async def events_after(self, cursor: str, execution_id: str | None, limit: int) -> list[r.EventRow]: ...

    async def last_event(self) -> str: ...

    async def add_event(
        self, kind: str, execution_id: str | None, agent_id: str | None, data: dict[str, Any]
    ) -> None: ...
