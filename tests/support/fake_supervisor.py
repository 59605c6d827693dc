"""The supervisor's client as a double in memory: commands run as the test says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plumber_core.protocol.frames import STDOUT, encode_frame
from plumber_core.runner.clock import boot_id
from plumber_core.runner.supervision import Command, Exited, ExitInfo, Grew, Record, Started, SupervisorGone
from plumber_core.version import __version__

BOOT = boot_id()


class FakeSupervisor:
    """Implements what the link uses of ``SupervisorClient``.

    ``spawn_answer`` is what the next spawns are answered with (an exception is raised), ``void_answer`` what the next
    voids raise; ``calls`` names every verb in order.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.records: dict[str, Record] = {}
        self.tombstones: set[str] = set()
        self.kept: dict[str, Record] = {}
        self.logs: dict[str, bytearray] = {}
        self.commands: dict[str, Command] = {}
        self.permits: dict[str, float | None] = {}
        self.calls: list[tuple[Any, ...]] = []
        self.spawn_answer: str | Exception = "spawned"
        self.void_answer: Exception | None = None
        self.gate: asyncio.Event | None = None
        self.version = __version__
        self.detached = False
        self.killed = False
        self._events: asyncio.Queue[Any] = asyncio.Queue()

    # What the test does

    def prints(self, attempt: str, data: bytes, stream: int = STDOUT) -> None:
        """Let the command write."""
        log = self.logs.setdefault(attempt, bytearray())
        log += encode_frame(stream, 1, data)
        self._events.put_nowait(Grew(attempt, len(log)))

    def exits(self, attempt: str, state: str = "succeeded", **fields: Any) -> None:
        """Let the command end."""
        fields.setdefault("exit_code", 0 if state == "succeeded" else None)
        record = self.put(attempt, "exited", ExitInfo(state, **fields))  # type: ignore[arg-type]
        self._events.put_nowait(Exited(attempt, record))

    def dies(self) -> None:
        """Let the supervisor die."""
        self._events.put_nowait(SupervisorGone())

    def put(self, attempt: str, state: Any, exit: ExitInfo | None = None, boot: str = BOOT) -> Record:
        """Write a record."""
        end = len(self.logs.get(attempt, b""))
        self.records[attempt] = Record(attempt, state, boot, end, exit, {})
        return self.records[attempt]

    def verbs(self, attempt: str) -> list[str]:
        """Return what was asked for an attempt, in order."""
        return [call[0] for call in self.calls if call[1:2] == (attempt,)]

    # What the link calls

    async def inventory(self) -> list[Record]:
        self.calls.append(("inventory",))
        return list(self.records.values())

    async def spawn(self, attempt: str, command: Command, *, permit_until: float | None, meta: dict[str, Any]) -> str:
        self.calls.append(("spawn", attempt))
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.spawn_answer, Exception):
            raise self.spawn_answer
        if attempt in self.records or attempt in self.tombstones:
            return "known"
        self.commands[attempt], self.permits[attempt] = command, permit_until
        if self.spawn_answer == "spawned":
            self.put(attempt, "running")
            self._events.put_nowait(Started(attempt, 1))
        elif self.spawn_answer == "stale":
            self.put(attempt, "void")
        return self.spawn_answer

    async def void(self, attempt: str) -> str:
        self.calls.append(("void", attempt))
        if self.void_answer is not None:
            raise self.void_answer
        record = self.records.get(attempt)
        if attempt in self.tombstones or (record is not None and record.state != "void"):
            return "known"
        self.put(attempt, "void")
        return "void"

    async def cancel(self, attempt: str, *, grace: float | None = None, kill: bool = False) -> None:
        self.calls.append(("cancel", attempt, grace, kill))

    def make_room(self) -> None:
        self.calls.append(("make_room",))

    def renewed(self, at: float) -> None:
        self.calls.append(("renewed", at))

    async def forget(self, attempt: str) -> None:
        self.release(attempt)

    def release(self, attempt: str) -> None:
        self.calls.append(("forget", attempt))
        if attempt in self.records:
            self.kept[attempt] = self.records.pop(attempt)
        self.tombstones.add(attempt)

    async def revive(self, within: float, attempt: str | None = None) -> list[str]:
        self.calls.append(("revive", attempt, within))
        wanted = [name for name in self.kept if within > 0 and attempt in (None, name)]
        for name in wanted:
            self.records[name] = self.kept.pop(name)
        return wanted

    async def trim(self, attempt: str, end: int, *, now: bool = False) -> None:
        self.calls.append(("trim", attempt, end, now) if now else ("trim", attempt, end))

    async def durable_now(self, wanted: bool) -> None:
        self.calls.append(("durable", wanted))

    async def follow(self, heard: Callable[[Any], None]) -> None:
        while True:
            event = await self._events.get()
            if isinstance(event, Exception):
                raise event
            heard(event)

    def read_log(self, attempt: str, offset: int, limit: int) -> bytes:
        return bytes(self.logs.get(attempt, b"")[offset : offset + limit])

    def output_file(self, attempt: str) -> Path:
        return self.folder / f"{attempt}.out"

    async def shutdown(self, *, kill: bool, timeout: float = 5.0) -> None:
        self.calls.append(("shutdown", kill))
        self.killed = kill
        self.detached = True
        self.dies()

    async def detach(self) -> None:
        self.detached = True
