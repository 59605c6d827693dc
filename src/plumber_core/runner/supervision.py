"""The link's hold on its supervisor: start commands, follow them, find them again after a restart.

Light on purpose: asyncio and the standard library, so that an agent stays small.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, Literal, cast

from plumber_core.crash import crash_point
from plumber_core.errors import LinkBusy, SpoolUnwritable, SupervisorGone, Unavailable
from plumber_core.runner.clock import boottime
from plumber_core.runner.disk import DISK, Disk
from plumber_core.runner.kept import MOST_BYTES
from plumber_core.runner.launch import LAUNCHER, START_LIMIT, Launcher
from plumber_core.runner.records import (
    Command,
    Exited,
    ExitInfo,
    Grew,
    Record,
    Started,
    SupervisorEvent,
    record_from,
)
from plumber_core.runner.wire import SPOOL_NAME, Decoder, Message, encode

__all__ = [
    "Command",
    "ExitInfo",
    "Exited",
    "Grew",
    "LinkBusy",
    "Record",
    "SpoolUnwritable",
    "Started",
    "SupervisorClient",
    "SupervisorEvent",
    "SupervisorGone",
    "boottime",
]

SPOOL_CAP = 64 * 1024 * 1024
_AGAIN = 0.02
_RELEASE_WITHIN = 0.02
"""Seconds for which a release waits for another message to go along with."""


class SupervisorClient:
    """One link's connection to the supervisor of a state folder. Made by ``attach``."""

    def __init__(self, folder: Path, launcher: Launcher, disk: Disk) -> None:
        self._spool = folder / SPOOL_NAME
        self._launcher, self._disk = launcher, disk
        self._unlock: Callable[[], None] | None = launcher.lock(folder)
        self._transport: asyncio.Transport | None = None
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._unheard: list[SupervisorEvent] = []
        self._heard: Callable[[SupervisorEvent], None] = self._unheard.append
        self._over = asyncio.Event()
        self._released = b""
        self._leaving = False
        self.pid = 0
        """The supervisor's process."""
        self.number = 0
        """The number of this attachment: rises with each, forever."""
        self.boot_id = ""
        self.version = ""
        """The supervisor's release, which may be another one than ours."""

    @classmethod
    async def attach(
        cls,
        state_dir: Path,
        *,
        idle_exit: float = 30.0,
        spool_cap: int = SPOOL_CAP,
        keep: int = MOST_BYTES,
        launcher: Launcher = LAUNCHER,
        disk: Disk = DISK,
    ) -> SupervisorClient:
        """Become the one link of ``state_dir``, starting a supervisor when none answers.

        Args:
            state_dir: the agent's state folder; made when missing.
            idle_exit: seconds for which the supervisor stays when it has neither link nor command.
            spool_cap: bytes of one attempt's log that may wait for ``trim`` before its command has to wait too.
            keep: bytes of disk that forgotten attempts may still take, so that they can be told again.
            launcher: how supervisors are started and reached.
            disk: the machine's.

        Raises:
            LinkBusy: another link holds it.
            Unavailable: no supervisor could be started or reached.
        """
        folder = launcher.prepare(state_dir)
        client = cls(folder, launcher, disk)
        try:
            async with asyncio.timeout(2 * START_LIMIT):
                await client._reach(folder, {"idle_exit": idle_exit, "spool_cap": spool_cap, "keep": keep})
        except TimeoutError:
            await client.detach()
            raise Unavailable(reason="the supervisor does not answer") from None
        except BaseException:
            await client.detach()
            raise
        return client

    async def _reach(self, folder: Path, wishes: Message) -> None:
        while True:
            reached = await self._launcher.connect(folder, lambda: _Wire(self))
            if not reached:
                await self._launcher.start(folder, wishes["idle_exit"])
                reached = await self._launcher.connect(folder, lambda: _Wire(self))
            if reached:
                with contextlib.suppress(SupervisorGone):  # it was just leaving: start the next one
                    return self._welcome(await self._ask("attach", **wishes))
                self._reset()
            await asyncio.sleep(_AGAIN)

    def _welcome(self, answer: Message) -> None:
        self.pid, self.number, self.boot_id = answer["pid"], answer["number"], answer["boot_id"]
        self.version = str(answer.get("release", ""))

    def _reset(self) -> None:
        self._over.clear()
        self._unheard.clear()

    async def inventory(self) -> list[Record]:
        """Return everything the journal knows, without forgotten attempts."""
        return [record_from(view) for view in await self._ask("inventory")]

    async def revive(self, within: float, attempt: str | None = None) -> list[str]:
        """Have what was forgotten within so many seconds, or one ``attempt`` of it, in the inventory again.

        Returns:
            What could be taken back. An older supervisor has kept nothing.
        """
        # What is being released must be forgotten by then, or it would be once it was looked for.
        self._send_released()
        try:
            return list(await self._ask("revive", within=within, attempt=attempt))
        except SupervisorGone:
            raise
        except Unavailable:
            return []

    def spawn(
        self, attempt: str, command: Command, *, permit_until: float | None, meta: dict[str, Any]
    ) -> Awaitable[Literal["spawned", "known", "stale", "failed"]]:
        """Start an attempt's command, once in its life; it is asked for at once, awaited or not.

        Args:
            attempt: its id: letters, digits, ``_ . -``.
            command: what to run.
            permit_until: ``boottime()`` until which it may be started; None for ever.
            meta: small JSON kept with the record.

        Returns:
            ``spawned``; ``known`` when there is any record of it; ``stale`` when the permit was too old, which is
            durably recorded as void; ``failed`` when it could not be executed, which is recorded as its exit and
            followed by an ``Exited``.

        Raises:
            SpoolUnwritable: the disk is full or failing; nothing was recorded and nothing runs.
            SupervisorGone: it may or may not have been started; the next inventory tells.
        """
        fields = {
            "argv": command.argv,
            "env": command.env,
            "path": command.path,
            "timeout": command.timeout,
            "idle_timeout": command.idle_timeout,
            "grace": command.grace,
            "stdin": base64.b64encode(command.stdin).decode() if command.stdin else None,
            "stop_after": command.stop_after,
            "renewed": command.renewed,
        }
        if command.restarts is not None:
            fields["restarts"] = command.restarts
        if command.masked:
            fields["masked"] = True
        return self._ask("spawn", attempt=attempt, command=fields, permit_until=permit_until, meta=meta)

    async def void(self, attempt: str) -> Literal["void", "known"]:
        """Make sure, durably, that an attempt will never run: ``void``; or ``known``: it has another record.

        Raises: SpoolUnwritable, SupervisorGone.
        """
        return cast(Literal["void", "known"], await self._ask("void", attempt=attempt))

    async def cancel(self, attempt: str, *, grace: float | None = None, kill: bool = False) -> None:
        """End an attempt: TERM, ``grace`` seconds (the command's own if None), KILL of the whole tree; KILL at once
        with ``kill``. Again it can only bring the KILL forward, so that a repeated message harms nobody. One that
        does not run is left alone.

        Raises: SupervisorGone.
        """
        await self._ask("cancel", attempt=attempt, grace=grace, kill=kill)

    async def forget(self, attempt: str) -> None:
        """Move an ended attempt out of the inventory; a tombstone stays for a day, and record and log as long as
        there is room for them.

        Raises: Unavailable (it still runs), SpoolUnwritable, SupervisorGone.
        """
        await self._ask("forget", attempt=attempt)

    def release(self, attempt: str) -> None:
        """``forget`` that goes along with the next message, or a moment later. One that is lost, or that the disk
        refuses, leaves the record to the next link's inventory. Raises: SupervisorGone."""
        if self._over.is_set():
            raise SupervisorGone
        if not self._released:
            asyncio.get_running_loop().call_later(_RELEASE_WITHIN, self._send_released)
        self._released += encode({"do": "forget", "attempt": attempt})

    def _send_released(self) -> None:
        if self._released and self._transport is not None and not self._over.is_set():
            self._transport.write(self._released)
        self._released = b""

    async def trim(self, attempt: str, end: int, *, now: bool = False) -> None:
        """Say that the server has all of an attempt's log below ``end``, a frame's first byte: the disk under it may
        be given back (``now``: however little it is), and a command that waits for room goes on."""
        self._send({"do": "trim", "attempt": attempt, "end": end, "now": now})

    def make_room(self) -> None:
        """Have the disk given back that settled attempts still take, in case somebody asks for them.

        Raises: SupervisorGone.
        """
        self._send({"do": "make_room"})

    def renewed(self, at: float) -> None:
        """Say when (boot clock) the newest renewal that the control plane has recorded was sent: commands with
        ``stop_after`` count from it.

        Raises: SupervisorGone.
        """
        self._send({"do": "renewed", "at": at})

    async def durable_now(self, wanted: bool) -> None:
        """Have each exit made durable before it is told (while the server is away), or within 20 ms.

        Raises: SpoolUnwritable, SupervisorGone.
        """
        await self._ask("durable", now=wanted)

    async def follow(self, heard: Callable[[SupervisorEvent], None]) -> None:
        """Have ``heard`` told what happens the moment it is known here, and what has happened since ``attach``.

        Ends after ``detach`` or ``shutdown``.

        Raises:
            SupervisorGone: the supervisor died.
        """
        unheard, self._unheard = self._unheard, []
        self._heard = heard
        for event in unheard:
            heard(event)
        await self._over.wait()
        if not self._leaving:
            raise SupervisorGone

    def read_log(self, attempt: str, offset: int, limit: int) -> bytes:
        """Return at most ``limit`` bytes of an attempt's log from ``offset`` on; the last frame may be cut."""
        try:
            fd = self._disk.open(f"{self._spool}/{attempt}.log", os.O_RDONLY)
        except FileNotFoundError:
            return b""
        try:
            return self._disk.pread(fd, limit, offset)
        finally:
            self._disk.close(fd)

    def output_file(self, attempt: str) -> Path:
        """Return the file that the attempt's command knows as ``$PLUMBER_OUTPUT``."""
        return self._spool / f"{attempt}.out"

    async def shutdown(self, *, kill: bool, timeout: float = 5.0) -> None:
        """End the supervisor: at once with all commands (TERM, KILL after half of ``timeout``), or, without
        ``kill``, when the last of them has ended by itself. The exits stay in the journal.

        Raises:
            Unavailable: it still runs after ``timeout`` seconds. It leaves when its last command ends.
        """
        self._leaving = True
        try:
            with contextlib.suppress(SupervisorGone):
                await self._ask("shutdown", kill=kill, grace=timeout / 2)
            async with asyncio.timeout(timeout):
                await self._over.wait()
        except TimeoutError:
            raise Unavailable(reason="commands are still running") from None
        finally:
            await self.detach()

    async def detach(self) -> None:
        """Let go; commands keep running and another link may attach. May be called twice."""
        self._leaving = True
        self._send_released()
        if self._transport is not None:
            self._transport.close()
        if self._unlock is not None:
            self._unlock()
            self._unlock = None

    def _send(self, message: Message) -> None:
        if self._transport is None or self._over.is_set():
            raise SupervisorGone
        # The message first: a start must not wait until somebody has tidied up.
        data, self._released = encode(message) + self._released, b""
        self._transport.write(data)
        crash_point(f"link.{message['do']}_asked")

    def _ask(self, verb: str, **arguments: Any) -> asyncio.Future[Any]:
        future = asyncio.get_running_loop().create_future()
        self._last += 1
        try:
            self._send({"id": self._last, "do": verb, **arguments})
        except SupervisorGone as error:
            future.set_exception(error)
        else:
            self._asked[self._last] = future
        return future

    def _connected(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def _received(self, message: Message) -> None:
        if "event" in message:
            return self._happened(message)
        future = self._asked.pop(message["id"], None)
        if future is None or future.done():
            return None
        if "error" not in message:
            future.set_result(message["answer"])
        elif message["error"] == "spool_unwritable":
            future.set_exception(SpoolUnwritable(reason=message["detail"]))
        else:
            future.set_exception(Unavailable(reason=f"{message['error']}: {message['detail']}"))
        return None

    def _happened(self, message: Message) -> None:
        event = message["event"]
        if event == "grew":
            self._heard(Grew(message["attempt"], message["end"]))
        elif event == "started":
            self._heard(Started(message["attempt"], message["pid"]))
        elif event == "exited":
            record = record_from(message["record"])
            self._heard(Exited(record.attempt, record))

    def _lost(self) -> None:
        self._over.set()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(SupervisorGone())
        self._asked.clear()


class _Wire(asyncio.Protocol):
    """Bytes to messages."""

    def __init__(self, client: SupervisorClient) -> None:
        self._client = client
        self._decoder = Decoder()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._client._connected(cast(asyncio.Transport, transport))

    def data_received(self, data: bytes) -> None:
        for message in self._decoder.feed(data):
            self._client._received(message)

    def connection_lost(self, exc: Exception | None) -> None:
        self._client._lost()
