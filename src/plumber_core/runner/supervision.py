"""The link's hold on its supervisor: start commands, follow them, find them again after a restart.

Light on purpose: asyncio and the standard library, so that an agent stays small.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, cast

from plumber_core.errors import LinkBusy, SpoolUnwritable, SupervisorGone, Unavailable
from plumber_core.runner.clock import boottime
from plumber_core.runner.launch import START_LIMIT, connect, lock_link, prepare_folder, start_supervisor
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


@dataclass(frozen=True, slots=True)
class Command:
    """What the supervisor runs. ``env`` is the whole environment; the supervisor adds PLUMBER_ATTEMPT and
    PLUMBER_OUTPUT. ``path`` is the folder to start in (the root folder if None), durations are seconds."""

    argv: tuple[str, ...]
    env: dict[str, str]
    path: str | None = None
    timeout: float | None = None
    idle_timeout: float | None = None
    grace: float = 10.0
    stdin: bytes | None = None


@dataclass(frozen=True, slots=True)
class ExitInfo:
    """How an attempt ended. ``exit_code`` is None when a signal ended it or nobody saw the end; ``error`` is a code
    (``path_missing not_a_directory permission_denied cannot_start timeout idle_timeout supervisor_died rebooted
    journal_damaged``) with ``detail`` beside it. ``orphans`` counts processes that were left running."""

    state: Literal["succeeded", "failed", "timed_out", "cancelled", "unknown"]
    exit_code: int | None = None
    signal: int | None = None
    error: str | None = None
    detail: str = ""
    duration: float = 0.0
    orphans: int = 0
    oom: bool = False


@dataclass(frozen=True, slots=True)
class Record:
    """One attempt as the journal knows it. ``meta`` is what was given at the spawn, ``log_end`` counts the bytes of
    its log's whole frames."""

    attempt: str
    state: Literal["spawning", "running", "exited", "void", "unknown"]
    boot_id: str
    log_end: int
    exit: ExitInfo | None
    meta: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Started:
    """The command of an attempt runs."""

    attempt: str
    pid: int


@dataclass(frozen=True, slots=True)
class Grew:
    """An attempt's log now reaches ``end``."""

    attempt: str
    end: int


@dataclass(frozen=True, slots=True)
class Exited:
    """An attempt ended, or could not be started; its log is complete."""

    attempt: str
    record: Record


SupervisorEvent = Started | Grew | Exited


def record_from(view: Message) -> Record:
    """Read a record as the supervisor sends it."""
    ended = ExitInfo(**view["exit"]) if view["exit"] else None
    return Record(**{**view, "exit": ended})


class SupervisorClient:
    """One link's connection to the supervisor of a state folder. Made by ``attach``."""

    def __init__(self, folder: Path, lock: int) -> None:
        self._spool = folder / SPOOL_NAME
        self._lock = lock
        self._transport: asyncio.Transport | None = None
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._last = 0
        self._events: asyncio.Queue[Started | Exited | str | None] = asyncio.Queue()
        self._grown: dict[str, int] = {}
        self._over = asyncio.Event()
        self._released = b""
        self._leaving = False
        self.pid = 0
        """The supervisor's process."""
        self.number = 0
        """The number of this attachment: rises with each, forever."""
        self.boot_id = ""

    @classmethod
    async def attach(cls, state_dir: Path, *, idle_exit: float = 30.0, spool_cap: int = SPOOL_CAP) -> SupervisorClient:
        """Become the one link of ``state_dir``, starting a supervisor when none answers.

        Args:
            state_dir: the agent's state folder; made when missing.
            idle_exit: seconds for which the supervisor stays when it has neither link nor command.
            spool_cap: bytes of one attempt's log that may wait for ``trim`` before its command has to wait too.

        Raises:
            LinkBusy: another link holds it.
            Unavailable: no supervisor could be started or reached.
        """
        folder = prepare_folder(state_dir)
        client = cls(folder, lock_link(folder))
        try:
            async with asyncio.timeout(2 * START_LIMIT):
                await client._reach(folder, idle_exit, spool_cap)
        except TimeoutError:
            await client.detach()
            raise Unavailable(reason="the supervisor does not answer") from None
        except BaseException:
            await client.detach()
            raise
        return client

    async def _reach(self, folder: Path, idle_exit: float, spool_cap: int) -> None:
        while True:
            connection = connect(folder)
            if connection is None:
                await asyncio.to_thread(start_supervisor, folder, idle_exit)
                connection = connect(folder)
            if connection is not None:
                connection.setblocking(False)
                loop = asyncio.get_running_loop()
                await loop.create_unix_connection(lambda: _Wire(self), sock=connection)
                with contextlib.suppress(SupervisorGone):  # it was just leaving: start the next one
                    return self._welcome(await self._ask("attach", idle_exit=idle_exit, spool_cap=spool_cap))
                self._reset()
            await asyncio.sleep(_AGAIN)

    def _welcome(self, answer: Message) -> None:
        self.pid, self.number, self.boot_id = answer["pid"], answer["number"], answer["boot_id"]

    def _reset(self) -> None:
        self._over.clear()
        self._events = asyncio.Queue()

    async def inventory(self) -> list[Record]:
        """Return everything the journal knows, without forgotten attempts."""
        return [record_from(view) for view in await self._ask("inventory")]

    async def spawn(
        self, attempt: str, command: Command, *, permit_until: float | None, meta: dict[str, Any]
    ) -> Literal["spawned", "known", "stale", "failed"]:
        """Start an attempt's command, once in its life.

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
        }
        answer = await self._ask("spawn", attempt=attempt, command=fields, permit_until=permit_until, meta=meta)
        return cast(Literal["spawned", "known", "stale", "failed"], answer)

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
        """Remove an ended attempt's log and record; a tombstone stays for a day.

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

    async def trim(self, attempt: str, end: int) -> None:
        """Say that the server has all of an attempt's log below ``end``, a frame's first byte: the disk under it may
        be given back, and a command that waits for room goes on."""
        self._send({"do": "trim", "attempt": attempt, "end": end})

    async def durable_now(self, wanted: bool) -> None:
        """Have each exit made durable before it is told (while the server is away), or within 20 ms.

        Raises: SpoolUnwritable, SupervisorGone.
        """
        await self._ask("durable", now=wanted)

    async def events(self) -> AsyncIterator[SupervisorEvent]:
        """Yield what happens, for one reader; a log's growth is told by its newest end only.

        Ends after ``detach`` or ``shutdown``.

        Raises:
            SupervisorGone: the supervisor died.
        """
        while (event := await self._events.get()) is not None:
            if isinstance(event, str):
                yield Grew(event, self._grown.pop(event))
            else:
                yield event
        self._events.put_nowait(None)
        if not self._leaving:
            raise SupervisorGone

    def read_log(self, attempt: str, offset: int, limit: int) -> bytes:
        """Return at most ``limit`` bytes of an attempt's log from ``offset`` on; the last frame may be cut."""
        try:
            fd = os.open(self._spool / f"{attempt}.log", os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return b""
        try:
            return os.pread(fd, limit, offset)
        finally:
            os.close(fd)

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
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def _send(self, message: Message) -> None:
        if self._transport is None or self._over.is_set():
            raise SupervisorGone
        # The message first: a start must not wait until somebody has tidied up.
        data, self._released = encode(message) + self._released, b""
        self._transport.write(data)

    async def _ask(self, verb: str, **arguments: Any) -> Any:
        self._last += 1
        self._send({"id": self._last, "do": verb, **arguments})
        future = self._asked[self._last] = asyncio.get_running_loop().create_future()
        return await future

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
            if message["attempt"] not in self._grown:
                self._events.put_nowait(message["attempt"])
            self._grown[message["attempt"]] = message["end"]
        elif event == "started":
            self._events.put_nowait(Started(message["attempt"], message["pid"]))
        elif event == "exited":
            record = record_from(message["record"])
            self._events.put_nowait(Exited(record.attempt, record))

    def _lost(self) -> None:
        self._over.set()
        self._events.put_nowait(None)
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
