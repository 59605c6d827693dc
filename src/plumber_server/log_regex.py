"""Regular expressions over a log, in a process of their own.

Python's engine can take for ever on a few characters and holds the interpreter meanwhile: so it runs where it can be
killed, with little memory, and each piece of a log has a time limit.
"""

from __future__ import annotations

import array
import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from plumber_core.errors import InvalidRequest
from plumber_core.reasons import because
from plumber_server import regex_worker
from plumber_server.log_text import Batch
from plumber_server.regex_worker import LINE_LIMIT, SIZE

SECONDS_A_PIECE = 5.0


class Expression:
    """Lines that match a regular expression within their first ``LINE_LIMIT`` characters."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._pending: dict[int, str] = {}

    async def begin(self, pattern: str, case: bool) -> None:
        """Compile it.

        Raises: InvalidRequest (no expression, or too much of one).
        """
        answer = await self._ask(("c" if case else "i").encode() + pattern.encode(errors="replace"))
        if answer:
            raise InvalidRequest(field="q", reason=answer.decode())

    async def find_all(self, batches: list[Batch]) -> list[int]:
        """Return the numbers of the lines that end in these batches and match.

        Raises: InvalidRequest (it takes too long).
        """
        return [number for batch in batches for number in await self.find(batch)]

    async def find(self, batch: Batch) -> list[int]:
        """Return the numbers of the lines that end in this batch and match.

        Raises: InvalidRequest (it takes too long).
        """
        whole, newline, rest = batch.text.rpartition("\n")
        pending = self._pending.get(batch.stream, "")
        if not newline:
            self._pending[batch.stream] = (pending + rest)[:LINE_LIMIT]
            return []
        self._pending[batch.stream] = rest[:LINE_LIMIT]
        answer = await self._ask((pending + whole).encode(errors="replace"))
        return [batch.number(ordinal) for ordinal in array.array("I", answer)]

    async def _ask(self, question: bytes) -> bytes:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(SIZE.pack(len(question)) + question)
            async with asyncio.timeout(SECONDS_A_PIECE):
                return await self._answer()
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError) as error:
            raise InvalidRequest(field="q", reason=because("bad_expression")) from error

    async def _answer(self) -> bytes:
        assert self._process.stdin is not None and self._process.stdout is not None
        await self._process.stdin.drain()
        (length,) = SIZE.unpack(await self._process.stdout.readexactly(SIZE.size))
        return await self._process.stdout.readexactly(length)


@asynccontextmanager
async def expression(pattern: str, case: bool) -> AsyncIterator[Expression]:
    """Start the process, compile, and end the process whatever happens.

    Raises: InvalidRequest.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-S", str(Path(regex_worker.__file__)),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        matcher = Expression(process)
        await matcher.begin(pattern, case)
        yield matcher
    finally:
        if process.returncode is None:
            process.kill()
        await asyncio.shield(process.wait())
