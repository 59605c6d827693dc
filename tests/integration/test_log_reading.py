"""Reading a log from any place on both databases: the right bytes and lines, by few statements, whatever its length."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from sqlalchemy import Engine, event

from plumber_client import AsyncClient
from plumber_core.app import Plumber
from plumber_core.engine.log_reading import LEAD
from plumber_core.errors import InvalidRequest, NotFound
from plumber_core.model.task import Step
from plumber_core.model.views import LogSlice
from plumber_core.protocol.frames import STDERR, STDOUT, decode_frames, encode_frame
from support.embedded import start
from support.scripted_agent import ScriptedAgent
from support.web_server import serving

ROWS, LINES = 300, 5
MOST_STATEMENTS = 5


class StoredLog:
    """An attempt whose log was appended through the engine, one row for each chunk."""

    def __init__(self, plumber: Plumber, agent: ScriptedAgent, attempt: str) -> None:
        self._plumber, self._agent, self.attempt = plumber, agent, attempt
        self.data = b""

    async def append(self, *rows: bytes) -> None:
        appended = []
        for chunk in rows:
            appended.append(self._agent.append(self.attempt, len(self.data), chunk))
            self.data += chunk
        await asyncio.gather(*appended)

    async def read(self, offset: int = 0, limit: int = 1, line: int | None = None, tail: int | None = None) -> LogSlice:
        """Read, and check what holds for each piece."""
        with statements() as seen:
            piece = await self._plumber.read_log(self.attempt, offset, limit, line=line, tail=tail)
        assert len(seen) <= MOST_STATEMENTS, seen
        assert piece.data == self.data[piece.offset : piece.offset + len(piece.data)]
        assert piece.line == newlines(self.data[: piece.offset])
        assert (piece.end, piece.lines) == (len(self.data), newlines(self.data))
        return piece


@pytest.fixture
async def log(plumber: Plumber) -> StoredLog:
    agent = await ScriptedAgent.create(plumber, "a")
    await start(plumber, Step(name="one", run="1"))
    return StoredLog(plumber, agent, (await agent.take()).attempt)


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect the statements that read logs, of every engine."""
    seen: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "log_chunks" in statement or "FROM attempts" in statement:
            seen.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def row(number: int) -> bytes:
    first = number * LINES
    return b"".join(encode_frame(STDOUT, number, f"line {first + n}\n".encode()) for n in range(LINES))


def newlines(data: bytes) -> int:
    return sum(frame.data.count(b"\n") for frame in decode_frames(data))


def lines(data: bytes) -> list[str]:
    return b"".join(frame.data for frame in decode_frames(data)).decode().split("\n")


async def test_any_line_is_found_without_reading_the_rest(log: StoredLog) -> None:
    await log.append(*(row(number) for number in range(ROWS)))
    longest = len(row(ROWS))
    for wanted in [0, 1, LINES - 1, LINES, LINES + 1, 777, ROWS * LINES - 1, ROWS * LINES]:
        piece = await log.read(line=wanted, limit=2 * longest)
        assert len(piece.data) <= 3 * longest
        assert piece.line <= wanted
        if wanted < ROWS * LINES:
            assert lines(piece.data)[wanted - piece.line] == f"line {wanted}"


async def test_a_line_is_found_from_its_beginning_over_many_rows(log: StoredLog) -> None:
    await log.append(
        row(0), *(encode_frame(STDOUT, 0, b"x" * 50) for _ in range(20)), encode_frame(STDERR, 0, b"\nend")
    )
    piece = await log.read(line=LINES)
    assert piece.offset == 0
    assert (await log.read(line=LINES + 1)).offset > len(row(0))
    with pytest.raises(InvalidRequest, match="the log has 6 lines"):
        await log.read(line=LINES + 2)


async def test_a_line_of_a_large_row_brings_what_a_screen_shows_and_no_more(log: StoredLog) -> None:
    large = [b"".join(row(number) for number in range(first, first + ROWS)) for first in (0, ROWS, 2 * ROWS)]
    await log.append(*large)
    frame, limit, last = len(encode_frame(STDOUT, 0, b"line 1000\n")), 2000, ROWS * LINES - 1
    for wanted in (0, 900, last, last + 1, 2 * last):
        piece = await log.read(line=wanted, limit=limit)
        said = lines(piece.data)
        assert said[wanted - piece.line] == f"line {wanted}"
        assert len(piece.data) <= LEAD + limit + 2 * frame
        assert len("\n".join(said[wanted - piece.line :])) >= limit // 3, "little follows the line"
        assert wanted - piece.line >= min(LEAD // frame - 1, wanted % (last + 1)), "little stands above the line"


async def test_the_tail_begins_at_a_frame_so_many_bytes_before_the_end(log: StoredLog) -> None:
    await log.append(*(row(number) for number in range(ROWS)))
    frame = len(encode_frame(STDOUT, 0, b"line 1499\n"))
    for tail in (1, frame, frame + 1, 1000, 10**9):
        piece = await log.read(tail=tail, limit=10**6)
        assert piece.offset + len(piece.data) == piece.end
        assert min(tail, piece.end) <= len(piece.data) < tail + frame
    assert (await log.read(tail=0)).data == b""


async def test_pieces_follow_each_other_and_say_their_line(log: StoredLog) -> None:
    await log.append(*(row(number) for number in range(ROWS)))
    offset = 0
    while offset < len(log.data):
        piece = await log.read(offset, limit=500)
        assert piece.offset == offset and piece.data
        offset += len(piece.data)
    assert (await log.read(offset)).data == b""


async def test_an_offset_within_a_row_is_a_frames_or_refused(log: StoredLog) -> None:
    await log.append(row(0), row(1))
    frame = len(encode_frame(STDOUT, 0, b"line 0\n"))
    assert (await log.read(3 * frame)).line == 3
    with pytest.raises(InvalidRequest, match="inside a frame"):
        await log.read(3 * frame + 1)
    with pytest.raises(InvalidRequest, match="ends at"):
        await log.read(len(log.data) + 1)


async def test_an_empty_log_has_a_beginning_and_an_end(log: StoredLog) -> None:
    for piece in (await log.read(), await log.read(line=0), await log.read(tail=100)):
        assert (piece.data, piece.offset, piece.line) == (b"", 0, 0)


async def test_one_place_is_given_and_it_is_none_before_the_beginning(log: StoredLog, plumber: Plumber) -> None:
    await log.append(row(0))
    frame = len(encode_frame(STDOUT, 0, b"line 0\n"))
    for field, place in [("tail", {"line": 0, "tail": 1}), ("offset", {"offset": frame, "line": 0}),
                         ("line", {"line": -1}), ("tail", {"tail": -1}), ("offset", {"offset": -1})]:  # fmt: skip
        with pytest.raises(InvalidRequest) as caught:
            await plumber.read_log(log.attempt, **place)
        assert caught.value.arguments["field"] == field
    with pytest.raises(NotFound):
        await plumber.read_log("nobody", tail=1)


async def test_a_remote_client_reads_lines_and_tails_and_searches(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/p.db"
    async with Plumber(url, local_agent=False, admin_password="correct horse battery") as plumber:
        agent = await ScriptedAgent.create(plumber, "a")
        await start(plumber, Step(name="one", run="1"))
        log = StoredLog(plumber, agent, (await agent.take()).attempt)
        await log.append(*(row(number) for number in range(ROWS)))
        async with serving(plumber) as server, AsyncClient(server.url) as anonymous:
            token = (await anonymous.sessions.login(username="admin", password="correct horse battery")).token
            async with AsyncClient(server.url, token) as client:
                for place in ({"line": 777}, {"tail": 100}, {"offset": len(row(0))}):
                    assert await client.read_log(log.attempt, limit=200, **place) == await log.read(limit=200, **place)
            async with httpx.AsyncClient(headers={"Authorization": f"Bearer {token}"}) as http:
                address = f"{server.url}/logs/{log.attempt}/search"
                found = await http.get(address, params={"q": "Line 77", "limit": 2})
            assert found.json() == {"count": 11, "hits": [77, 770], "truncated": True, "complete": False}
