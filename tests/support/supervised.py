"""A supervisor of a test's own, with a client that collects what happens."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import signal
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from plumber_core.protocol.frames import decode_frames
from plumber_core.runner.marks import mark_of, mark_on
from plumber_core.runner.supervision import (
    Command,
    Exited,
    Grew,
    Record,
    Started,
    SupervisorClient,
    SupervisorEvent,
    SupervisorGone,
)
from support.processes import kill_those_of
from support.waiting import wait_until

ENVIRONMENT = {"PATH": os.environ.get("PATH", os.defpath)}


def shell(text: str, **options: Any) -> Command:
    """Return a command of ``/bin/sh`` in the test's environment."""
    return Command(("/bin/sh", "-c", text), {**ENVIRONMENT, **options.pop("env", {})}, **options)


class Supervised:
    """An attached client; ``seen`` are its events in order."""

    def __init__(self, client: SupervisorClient) -> None:
        self.client = client
        self.seen: list[SupervisorEvent] = []
        self.gone = False
        self.acknowledging = False
        self._trims: list[asyncio.Future[None]] = []
        self._names = (f"{uuid.uuid4()}" for _ in itertools.count())
        self._follower = asyncio.create_task(self._follow())

    async def _follow(self) -> None:
        try:
            await self.client.follow(self._hear)
        except SupervisorGone:
            self.gone = True

    def _hear(self, event: SupervisorEvent) -> None:
        self.seen.append(event)
        if self.acknowledging and isinstance(event, Grew):
            self._trims.append(asyncio.ensure_future(self.client.trim(event.attempt, event.end)))

    async def spawn(self, command: Command, attempt: str = "", **options: Any) -> str:
        """Spawn a command under a new name, or ``attempt``, and return the name."""
        attempt = attempt or next(self._names)
        answer = await self.client.spawn(attempt, command, **{"permit_until": None, "meta": {}, **options})
        assert answer == options.pop("answer", "spawned")
        return attempt

    async def end_of(self, attempt: str, timeout: float = 20.0) -> Record:
        """Wait for an attempt's end and return its record."""

        def ended() -> Record | None:
            return next((e.record for e in self.seen if isinstance(e, Exited) and e.attempt == attempt), None)

        record: Record = await wait_until(ended, timeout, f"the end of {attempt}")
        return record

    async def run(self, command: Command, timeout: float = 20.0) -> Record:
        """Run a command, which may fail to start, to its end."""
        attempt = next(self._names)
        await self.client.spawn(attempt, command, permit_until=None, meta={})
        return await self.end_of(attempt, timeout)

    async def pid_of(self, attempt: str) -> int:
        """Return an attempt's main process."""
        found = await wait_until(lambda: [e.pid for e in self.seen if isinstance(e, Started) and e.attempt == attempt])
        return int(found[0])

    def text(self, attempt: str, stream: int = 1) -> bytes:
        """Return what an attempt has written so far."""
        data = self.client.read_log(attempt, 0, 1 << 30)
        return b"".join(frame.data for frame in decode_frames(data) if frame.stream == stream)

    async def printed(self, attempt: str, text: bytes, stream: int = 1) -> bytes:
        """Wait until an attempt has printed ``text``."""
        await wait_until(lambda: text in self.text(attempt, stream), 20, f"{text!r}")
        return self.text(attempt, stream)

    async def leave(self) -> None:
        """Detach and let the follower end."""
        await self.client.detach()
        await self._follower


def marked(attempt: str) -> set[int]:
    """Return the processes that carry the attempt's mark."""
    pids = (int(path.name) for path in Path("/proc").glob("[0-9]*"))
    return {pid for pid in pids if mark_on(pid) == mark_of(attempt) and alive(pid)}


@contextlib.asynccontextmanager
async def supervised(folder: Path, **options: Any) -> AsyncIterator[Supervised]:
    """Attach to the supervisor of ``folder``; leaves no process behind."""
    found = Supervised(await SupervisorClient.attach(folder, **options))
    try:
        yield found
    finally:
        await found.leave()
        kill_those_of(folder)
        kill_commands_of(folder)


def kill_commands_of(folder: Path) -> None:
    """Kill what the supervisor of ``folder`` left running."""
    mark = b"PLUMBER_OUTPUT=" + os.fsencode(folder.resolve()) + b"/"
    for path in Path("/proc").glob("[0-9]*/environ"):
        with contextlib.suppress(OSError):
            if mark in path.read_bytes():
                os.kill(int(path.parent.name), signal.SIGKILL)


def proc(pid: int | str, name: str) -> bytes:
    """Return a file of ``/proc``."""
    return Path(f"/proc/{pid}/{name}").read_bytes()


def alive(pid: int) -> bool:
    """Say whether a process runs (one that ended and was not reaped does not)."""
    try:
        state = proc(pid, "stat").rpartition(b")")[2].split()[0]
    except OSError:
        return False
    return state not in (b"Z", b"X")
