"""Attempts' logs: append by offset, check the digest.

Appends that arrive while a transaction is under way join the next one: no timer, and one commit for many agents.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass

from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.core import Engine
from plumber_core.engine.digests import Digests
from plumber_core.errors import PlumberError, ProtocolError, Unavailable
from plumber_core.model.views import LogGrowth
from plumber_core.protocol.digest import LogDigest
from plumber_core.protocol.frames import whole_length

log = logging.getLogger(__name__)
BATCH_BYTES = 8 * 1024 * 1024
SLICE = 1024 * 1024


@dataclass(eq=False)
class _Waiting:
    attempt: str
    agent: str
    epoch: int
    offset: int
    data: bytes
    answer: asyncio.Future[int]


class LogWriter:
    """Joins appends into transactions. ``run`` it beside the server."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._queue: list[_Waiting] = []
        self._work = asyncio.Event()
        self._digests = Digests()
        self._verified_now: set[str] = set()

    async def append(self, agent: str, epoch: int, attempt: str, offset: int, data: bytes) -> int:
        """Append whole frames and return the log's durable end, whatever it is; -1 is not this agent's attempt, or
        said in another epoch.

        Raises: ProtocolError (no whole frames), Unavailable.
        """
        check_frames(data)
        waiting = _Waiting(attempt, agent, epoch, offset, data, asyncio.get_running_loop().create_future())
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
        # Hashed while it is written, by another thread.
        heard = [(w.attempt, w.offset, w.data) for w in batch]
        hashing = self._engine.spawn(self._digests.follow(heard), "hash logs")
        try:
            chunks = [(w.attempt, w.agent, w.epoch, w.offset, w.data) for w in batch]
            ends, complete = await self._engine.store.append(chunks)
        except Exception as error:
            await hashing
            self._digests.forget(w.attempt for w in batch)
            if not isinstance(error, PlumberError):
                log.exception("appending logs failed")
            failure = error if isinstance(error, PlumberError) else Unavailable(reason=str(error))
            _answer(batch, lambda waiting: waiting.answer.set_exception(failure))
            return
        await hashing
        self._digests.agree(ends)
        _answer(batch, lambda waiting: waiting.answer.set_result(ends[waiting.attempt]))
        self._engine.counts["plumber_log_bytes_total"] += sum(len(w.data) for w in batch)
        for attempt in {w.attempt for w in batch}:
            grew(self._engine, attempt, ends[attempt])
        for attempt in complete:
            self.verify_soon(attempt)

    def verify_soon(self, attempt: str, tail_offset: int = 0, tail: bytes = b"") -> None:
        """Have a log that may be complete compared with its outcome, beside the caller.

        Args:
            attempt: whose log.
            tail_offset: where the bytes begin that came with the outcome.
            tail: these bytes.
        """
        self._engine.spawn(self._verify(attempt, tail_offset, tail), "verify")

    async def _verify(self, attempt: str, tail_offset: int, tail: bytes) -> None:
        await self._digests.follow([(attempt, tail_offset, tail)])
        found = await self._engine.store.step_of(attempt)
        if found is None or found[1].log_state != "complete" or attempt in self._verified_now:
            return
        row, outcome = found[1], found[1].outcome or {}
        self._verified_now.add(attempt)
        try:
            digest = self._digests.take(attempt, row.log_end) or await self._read_again(attempt, row.log_end)
            same = digest.matches(outcome.get("sha256_stdout", ""), outcome.get("sha256_stderr", ""))
            await self._engine.store.set_log_state(attempt, "verified" if same else "mismatch")
        finally:
            self._verified_now.discard(attempt)

    async def _read_again(self, attempt: str, end: int) -> LogDigest:
        """Return the digest of a log that came by way of several servers, or in another order."""
        digest = LogDigest()
        while digest.position < end:
            found = await self._engine.store.read_log(attempt, digest.position, SLICE)
            if found is None or not found[1]:
                break
            await asyncio.to_thread(digest.feed, digest.position, found[1])
        return digest


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
