"""Attempts' logs: append by offset, check the digest.

Appends that arrive while a transaction is under way join the next one: no timer, and one commit for many agents.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass

from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.core import Engine
from plumber_core.errors import PlumberError, ProtocolError
from plumber_core.model.views import LogGrowth
from plumber_core.protocol.frames import STDERR, STDOUT, decode_frames, whole_length

log = logging.getLogger(__name__)
BATCH_BYTES = 8 * 1024 * 1024
SLICE = 1024 * 1024


@dataclass(eq=False)
class _Waiting:
    attempt: str
    agent: str
    offset: int
    data: bytes
    answer: asyncio.Future[int]


class LogWriter:
    """Joins appends into transactions. ``run`` it beside the server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: list[_Waiting] = []
        self._work = asyncio.Event()

    async def append(self, agent: str, attempt: str, offset: int, data: bytes) -> int:
        """Append whole frames and return the log's durable end, whatever it is; -1 is not this agent's attempt.

        Raises: ProtocolError (no whole frames), Unavailable.
        """
        check_frames(data)
        waiting = _Waiting(attempt, agent, offset, data, asyncio.get_running_loop().create_future())
        self._queue.append(waiting)
        self._work.set()
        return await waiting.answer

    async def run(self) -> None:
        """Write until cancelled."""
        while True:
            await self._work.wait()
            self._work.clear()
            while self._queue:
                await self._write(self._take())

    def _take(self) -> list[_Waiting]:
        size = taken = 0
        for waiting in self._queue:
            if taken and size + len(waiting.data) > BATCH_BYTES:
                break
            size += len(waiting.data)
            taken += 1
        batch, self._queue = self._queue[:taken], self._queue[taken:]
        return batch

    async def _write(self, batch: list[_Waiting]) -> None:
        try:
            ends, complete = await self._engine.store.append([(w.attempt, w.agent, w.offset, w.data) for w in batch])
        except Exception as error:
            if not isinstance(error, PlumberError):
                log.exception("appending logs failed")
            reason = str(error)
            _answer(batch, lambda waiting: waiting.answer.set_exception(ConnectionError(reason)))
            return
        _answer(batch, lambda waiting: waiting.answer.set_result(ends[waiting.attempt]))
        self._engine.counts["plumber_log_bytes_total"] += sum(len(w.data) for w in batch)
        for attempt in {w.attempt for w in batch}:
            grew(self._engine, attempt, ends[attempt])
        for attempt in complete:
            self._engine.spawn(verify(self._engine, attempt), "verify")


def _answer(batch: list[_Waiting], give: Callable[[_Waiting], None]) -> None:
    for waiting in batch:
        if not waiting.answer.done():
            give(waiting)


def check_frames(data: bytes) -> None:
    """Refuse what is not whole frames.

    Raises:
        ProtocolError: it is not.
    """
    try:
        whole = whole_length(data)
    except ValueError as error:
        raise ProtocolError(reason=str(error)) from error
    if whole != len(data):
        raise ProtocolError(reason="a log chunk must end at the end of a frame")


def grew(engine: Engine, attempt: str, end: int) -> None:
    """Tell followers how far a log is durable."""
    if end < 0:
        return
    ref = AttemptRef.parse(attempt)
    growth = LogGrowth(execution=ref.execution, step_execution=ref.step_id, attempt=attempt, end=end)
    engine.wakeups.grew(growth)


async def verify(engine: Engine, attempt: str) -> None:
    """Compare a complete log with the digests that the agent computed, and note the result."""
    found = await engine.store.read_log(attempt, 0, 1)
    if found is None or found[0].outcome is None or found[0].log_end != found[0].log_total:
        return
    row = found[0]
    digest = Digest()
    offset = 0
    while offset < row.log_end:
        _, data = await engine.store.read_log(attempt, offset, SLICE) or (row, b"")
        if not data:
            break
        await asyncio.to_thread(digest.update, data)
        offset += len(data)
    outcome = row.outcome or {}
    same = digest.matches(outcome.get("sha256_stdout", ""), outcome.get("sha256_stderr", ""))
    await engine.store.set_log_state(attempt, "verified" if same else "mismatch")


class Digest:
    """SHA-256 of both streams of a log."""

    def __init__(self) -> None:
        self._hashes = {STDOUT: hashlib.sha256(), STDERR: hashlib.sha256()}

    def update(self, data: bytes) -> None:
        """Add whole frames."""
        for frame in decode_frames(data):
            if frame.stream in self._hashes:
                self._hashes[frame.stream].update(frame.data)

    def matches(self, stdout: str, stderr: str) -> bool:
        """Compare with digests in hexadecimal; an empty one is not known and matches."""
        told = {STDOUT: stdout, STDERR: stderr}
        return all(not told[stream] or told[stream] == self._hashes[stream].hexdigest() for stream in told)
