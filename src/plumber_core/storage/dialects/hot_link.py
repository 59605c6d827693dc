"""One PostgreSQL connection for hot writes, driven through libpq's pipeline: nothing between a script and its socket.

Measured: psycopg's cursors, adapters and waits took the server as long as all else that it does for a report.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import Any

import psycopg
from psycopg.errors import error_from_result
from psycopg.pq import ConnStatus, ExecStatus
from psycopg.pq.abc import PGresult

from plumber_core.storage.dialects.gathering import Write
from plumber_core.storage.dialects.libpq import SocketWatch

_TEXT, _BINARY = 0, 1


class HotLink:
    """Takes over a connection that nothing else uses from now on, but for ``close``.

    ``lost`` says that the other end is gone, ``usable`` that it can be used again: nobody left before the answer came.
    """

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection, self._libpq = connection, connection.pgconn
        self._names: dict[bytes, bytes] = {}
        self._made = 0
        self._preparing: deque[bytes] = deque()
        self._results: list[PGresult] = []
        self._answer: asyncio.Future[None] | None = None
        self.lost, self.usable = False, True
        self._libpq.enter_pipeline_mode()
        self._watch = SocketWatch(connection.fileno(), self._readable)

    async def run(self, writes: Sequence[Write]) -> list[bool]:
        """Carry out each write in one statement, all in one transaction and one round trip; say which guards held.

        Raises:
            psycopg.Error: one failed; when the connection was lost nobody knows whether they were committed.
        """
        self._results, self._answer = [], asyncio.get_running_loop().create_future()
        try:
            for write in writes:
                self._send(write)
            # What is sent between two synchronisations is one transaction.
            self._libpq.pipeline_sync()
            self._flush()
            await self._answer
        except BaseException:
            self.usable = False
            raise
        return self._held()

    def _send(self, write: Write) -> None:
        sql, names = write.script.postgresql
        if sql not in self._names:
            self._made += 1
            self._names[sql] = b"hot%d" % self._made
            self._preparing.append(sql)
            self._libpq.send_prepare(self._names[sql], sql)
        values = [write.parameters[name] for name in names]
        formats = [_BINARY if isinstance(value, bytes) else _TEXT for value in values]
        self._libpq.send_query_prepared(self._names[sql], [*map(_encoded, values)], formats)

    def _flush(self) -> None:
        if self._libpq.flush():
            self._watch.call_when_writable(self._writable)

    def _writable(self) -> None:
        try:
            if not self._libpq.flush():
                self._watch.all_written()
        except psycopg.Error as error:
            self._lost(error)

    def _readable(self) -> None:
        try:
            self._libpq.consume_input()
            while self._answer is not None and not self._libpq.is_busy():
                result = self._libpq.get_result()
                if result is not None:
                    self._take(result, self._answer)
                elif self._libpq.status != ConnStatus.OK:
                    raise psycopg.OperationalError(self._libpq.get_error_message())
        except psycopg.Error as error:
            self._lost(error)

    def _take(self, result: PGresult, answer: asyncio.Future[None]) -> None:
        if result.status == ExecStatus.PIPELINE_SYNC:
            self._answer = None
            if not answer.done():
                answer.set_result(None)
        elif result.status == ExecStatus.COMMAND_OK:
            self._preparing.popleft()
        else:
            self._results.append(result)

    def _held(self) -> list[bool]:
        while self._preparing:
            del self._names[self._preparing.popleft()]
        if (error := self._failure()) is not None:
            raise error
        return [result.get_value(0, 0) != b"0" for result in self._results]

    def _failure(self) -> psycopg.Error | None:
        failed = (result for result in self._results if result.status != ExecStatus.TUPLES_OK)
        return next(map(error_from_result, failed), None)

    def _lost(self, error: psycopg.Error) -> None:
        self.lost, self.usable = True, False
        self._watch.end()
        answer, self._answer = self._answer, None
        if answer is not None and not answer.done():
            answer.set_exception(self._failure() or error)

    async def close(self) -> None:
        """Close the connection."""
        self._watch.end()
        await self._connection.close()


def _encoded(value: Any) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    return value.encode() if isinstance(value, str) else repr(value).encode()
