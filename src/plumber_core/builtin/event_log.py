"""Every event as a line of JSON in a file, for whatever collects logs.

Settings: ``[plugins.event-log] path = "/var/log/plumber/events.jsonl"``; without it nothing happens.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel

from plumber_core import Event, EventSubscriber, PluginContext, hookimpl


class Settings(BaseModel):
    """Where the lines go."""

    path: Path | None = None


class EventLog(EventSubscriber):
    """Appends events to a file. It is opened for each line, so that log rotation needs to tell nobody."""

    name = "event-log"

    def __init__(self, path: Path) -> None:
        self._path = path

    async def handle(self, event: Event) -> None:
        """Append one line; an event may come twice, its id tells."""
        await asyncio.to_thread(self._append, event.model_dump_json().encode() + b"\n")

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            os.write(descriptor, line)
        finally:
            os.close(descriptor)


@hookimpl
def register_event_subscribers(ctx: PluginContext) -> Iterable[EventSubscriber]:
    path = ctx.settings(Settings).path
    return [EventLog(path)] if path else []
