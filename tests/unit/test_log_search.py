"""Searching logs: which lines match, whatever the cuts; expressions that would hang; one search of a session."""

from __future__ import annotations

import asyncio
import random
from typing import Any

import httpx
import pytest

from plumber_core.errors import InvalidRequest
from plumber_core.protocol.frames import STDERR, STDOUT, encode_frame
from plumber_server import log_regex, log_search
from plumber_server.app import create_app
from plumber_server.frames import PIECE
from plumber_server.log_matching import Substring
from plumber_server.log_search import Query, Searches, search
from plumber_server.log_text import LogText
from support.fake_plumber import FakePlumber
from support.web_server import PERSON_HEADERS, asgi_client, serving

Written = tuple[int, bytes]


def out(text: str) -> Written:
    return STDOUT, text.encode()


def encoded(*written: Written) -> bytes:
    return b"".join(encode_frame(stream, 0, data) for stream, data in written)


@pytest.fixture
def plumber() -> Any:
    return FakePlumber()


async def found(plumber: Any, text: str, *written: Written, **options: Any) -> list[int]:
    plumber.logs["at"] = encoded(*written)
    answer = await search(plumber.acting_as(None), "at", Query(text, **options))
    assert answer["count"] == len(answer["hits"])
    return answer["hits"]  # type: ignore[no-any-return]


LOG = (
    out("zero\nEr"),
    (STDERR, b"error one\n"),
    out("ror two\nthree \x1b[31mer"),
    out("\x1b[0mror\n"),
    out("an error"),
)


@pytest.mark.parametrize("regex", [False, True])
async def test_lines_are_found_across_frames_streams_and_colours(plumber: Any, regex: bool) -> None:
    assert await found(plumber, "error", *LOG, regex=regex) == [1, 2, 3, 4]
    assert await found(plumber, "error", *LOG, regex=regex, case=True) == [1, 3, 4]
    assert await found(plumber, "nowhere", *LOG, regex=regex) == []


async def test_expressions_are_pythons(plumber: Any) -> None:
    assert await found(plumber, r"^(zero|three error)$", *LOG, regex=True) == [0, 3]
    assert await found(plumber, "^好+$", out("好好\r\n坏\n"), regex=True) == [0]


async def test_case_is_that_of_all_languages(plumber: Any) -> None:
    assert await found(plumber, "ÄPFEL", out("äpfel\nкот\n")) == [0]
    assert await found(plumber, "КОТ", out("äpfel\nкот\n")) == [1]


async def test_an_unfinished_sequence_hides_nothing(plumber: Any) -> None:
    assert await found(plumber, "secret", out("\x1b]0;never ended\nsecret\n")) == [1]


def test_sequences_and_characters_cut_by_pieces_are_still_those() -> None:
    data = "err\x1b[1;31mor \x1b]8;;u\x07好 \x1b(Bend\n".encode()
    for cut in range(len(data) + 1):
        log = LogText()
        batches = [batch for part in (data[:cut], data[cut:]) for batch in log.feed(encoded((STDOUT, part)))]
        assert "".join(batch.text for batch in batches) == "error 好 end\n"


async def test_a_hit_counts_its_line_once_and_lines_beyond_the_limit_are_counted(plumber: Any) -> None:
    plumber.logs["at"] = encoded(out("x x x\n" * 50))
    answer = await search(plumber.acting_as(None), "at", Query("x", limit=10))
    assert answer == {"count": 50, "hits": list(range(10)), "truncated": True, "complete": True}


@pytest.mark.parametrize("text", ["a", "ab", "aba", "b\x1b"])
def test_a_text_is_found_exactly_whatever_the_cuts(text: str) -> None:
    """Against the plain way: join each stream, split it into lines, look into each."""
    chance = random.Random(3)
    for _ in range(300):
        written = [
            (chance.choice((STDOUT, STDERR)), "".join(chance.choices("ab\n好", k=chance.randrange(6))).encode())
            for _ in range(12)
        ]
        log, matcher = LogText(), Substring(text, case=True)
        hits = [n for frame in written for batch in log.feed(encoded(frame)) for n in matcher.find(batch)]
        hits += matcher.find_all(log.finish())
        assert sorted(hits) == plainly(written, text)


def plainly(written: list[Written], text: str) -> list[int]:
    lines: list[str] = []
    open_lines = {STDOUT: "", STDERR: ""}
    for stream, data in written:
        *whole, rest = (open_lines[stream] + data.decode()).split("\n")
        lines += whole
        open_lines[stream] = rest
    lines += [rest for rest in open_lines.values() if rest]
    return [number for number, line in enumerate(lines) if text in line]


async def test_a_line_that_never_ends_is_searched_without_being_kept(plumber: Any) -> None:
    frames = [out("x" * 200_000) for _ in range(40)] + [out("needle" + "y" * 200_000), out("\nother\n")]
    assert await found(plumber, "needle", *frames) == [0]
    assert plumber.largest_read <= PIECE
    matcher, log = Substring("needle", True), LogText()
    for frame in frames[:40]:
        matcher.find_all(log.feed(encoded(frame)))
    assert len(matcher._pending[STDOUT].text) < len("needle")


async def test_an_expression_that_would_take_for_ever_is_stopped(plumber: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_regex, "SECONDS_A_PIECE", 0.5)
    with pytest.raises(InvalidRequest, match="takes too long"):
        await found(plumber, "(a+)+$", out("a" * 60 + "!\n"), regex=True)


@pytest.mark.parametrize(("text", "regex"), [("", False), ("x" * 1001, False), ("a\nb", False), ("(", True)])
async def test_what_is_no_search_is_refused(plumber: Any, text: str, regex: bool) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await found(plumber, text, out("a\n"), regex=regex)
    assert caught.value.arguments["field"] == "q"


async def test_search_over_http(plumber: Any) -> None:
    plumber.logs["at"] = encoded(*LOG)
    async with asgi_client(create_app(plumber), PERSON_HEADERS) as client:
        answer = await client.get("/logs/at/search", params={"q": "error", "limit": 2})
        assert answer.json() == {"count": 4, "hits": [1, 2], "truncated": True, "complete": True}
        assert (await client.get("/logs/nobody/search?q=x")).status_code == 404
        assert (await client.get("/logs/at/search")).json()["arguments"]["field"] == "q"
        assert (await client.get("/logs/at/search?q=(&regex=true")).status_code == 400


class Gate:
    """Work that says when it runs and ends when told."""

    def __init__(self) -> None:
        self.running, self.most = 0, 0
        self.started = asyncio.Condition()
        self.go = asyncio.Event()

    async def work(self) -> str:
        self.running += 1
        self.most = max(self.most, self.running)
        async with self.started:
            self.started.notify_all()
        try:
            await self.go.wait()
        finally:
            self.running -= 1
        return "done"

    async def until(self, running: int) -> None:
        async with self.started:
            async with asyncio.timeout(10):
                await self.started.wait_for(lambda: self.running == running)


async def never() -> None:
    await asyncio.Event().wait()


async def test_one_search_of_a_session_and_few_in_all() -> None:
    searches, gate = Searches(), Gate()
    tasks = [asyncio.create_task(searches.carry_out(str(n // 2), gate.work(), never())) for n in range(8)]
    await gate.until(log_search.AT_ONCE)
    gate.go.set()
    assert await asyncio.gather(*tasks) == ["done"] * 8
    assert gate.most == log_search.AT_ONCE
    gate = Gate()
    tasks = [asyncio.create_task(searches.carry_out("same", gate.work(), never())) for _ in range(3)]
    await gate.until(1)
    gate.go.set()
    await asyncio.gather(*tasks)
    assert gate.most == 1
    assert not searches._sessions


async def test_a_search_ends_when_its_client_leaves(plumber: Any) -> None:
    """The log never ends by itself here: only the client's leaving does it."""
    reading, stopped = asyncio.Event(), asyncio.Event()

    class Endless(type(plumber.acting_as(None))):  # type: ignore[misc]
        async def read_log(self, attempt: str, offset: int = 0, limit: int = 0, **_: Any) -> Any:
            reading.set()
            try:
                await asyncio.Event().wait()
            finally:
                stopped.set()

    plumber.acting_as = lambda principal, **_: Endless(plumber, principal)
    async with serving(plumber) as server, httpx.AsyncClient(base_url=server.url, headers=PERSON_HEADERS) as client:
        asked = asyncio.create_task(client.get("/logs/at/search?q=x"))
        async with asyncio.timeout(10):
            await reading.wait()
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        async with asyncio.timeout(10):
            await stopped.wait()
