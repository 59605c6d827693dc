"""Server-sent events over a real socket: order, resume, refusals, and the end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from plumber_client._sse import Message, SseParser, read_message
from plumber_core.model.views import Event, LogGrowth
from plumber_server import events
from support.fake_plumber import PERSON, FakePlumber
from support.waiting import wait_until
from support.web_server import PERSON_HEADERS, serving

NOW = datetime(2026, 11, 23, tzinfo=UTC)


def event(number: int) -> Event:
    return Event(id=f"{number:04}", at=NOW, kind="step.started", execution="e1", data={"text": "a\nb 好"})


GROWTH = LogGrowth(execution="e1", step_execution="s1", attempt="at1", end=77)


@pytest.fixture
async def plumber() -> AsyncIterator[Any]:
    plumber = FakePlumber()
    yield plumber
    plumber.stopped.set()


async def read(url: str, count: int, *, query: str = "?execution=e1", **headers: str) -> tuple[list[Any], SseParser]:
    parser = SseParser()
    items: list[Any] = []
    async with (
        httpx.AsyncClient(base_url=url, headers={**PERSON_HEADERS, **headers}) as client,
        client.stream("GET", f"/events{query}") as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        async for chunk in answer.aiter_bytes():
            items += [item for message in parser.feed(chunk) if (item := read_message(message)) is not None]
            if len(items) >= count:
                break
    return items, parser


async def test_events_and_hints_arrive_in_order_and_only_events_have_ids(plumber: Any) -> None:
    plumber.events = [event(1), GROWTH, event(2)]
    async with serving(plumber) as server:
        items, parser = await read(server.url, 3)
    assert items == [event(1), GROWTH, event(2)]
    assert parser.last_id == "0002"
    assert parser.retry == 1.0


@pytest.mark.parametrize("how", ["header", "query"])
async def test_a_stream_resumes_where_it_stopped(plumber: Any, how: str) -> None:
    plumber.events = [event(n) for n in range(1, 6)]
    async with serving(plumber) as server:
        if how == "header":
            items, _ = await read(server.url, 2, **{"Last-Event-ID": "0003"})
        else:
            items, _ = await read(server.url, 2, query="?execution=e1&after=0003")
    assert items == [event(4), event(5)]
    assert plumber.followed == [("e1", "0003")]


async def first(url: str, query: str = "", **headers: str) -> tuple[Message, str | None]:
    """Return the first message of a stream, and its id."""
    parser = SseParser()
    async with (
        httpx.AsyncClient(base_url=url, headers={**PERSON_HEADERS, **headers}) as client,
        client.stream("GET", f"/events{query}") as answer,
        asyncio.timeout(5),
    ):
        async for chunk in answer.aiter_bytes():
            if messages := parser.feed(chunk):
                return messages[0], parser.last_id
    raise AssertionError("the stream ended")


@pytest.mark.parametrize(
    ("query", "headers", "cursor"),
    [
        ("", {}, "0000"),
        ("?execution=e1", {}, "0000"),
        ("?execution=e1&after=0003", {}, "0003"),
        ("?after=0003", {"Last-Event-ID": "0004"}, "0004"),
    ],
)
async def test_a_silent_stream_tells_at_once_where_it_stands(
    plumber: Any, query: str, headers: dict[str, str], cursor: str
) -> None:
    async with serving(plumber) as server:
        message, last_id = await first(server.url, query, **headers)
    assert (message, last_id) == (Message("hello", f'{{"cursor":"{cursor}"}}'), cursor)


async def test_a_refusal_has_its_status(plumber: Any) -> None:
    async with serving(plumber) as server, httpx.AsyncClient(base_url=server.url, headers=PERSON_HEADERS) as client:
        answer = await client.get("/events?execution=missing")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_silence_is_filled_with_comments(plumber: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEPALIVE", 0.02)
    async with (
        serving(plumber) as server,
        httpx.AsyncClient(base_url=server.url, headers=PERSON_HEADERS) as client,
        client.stream("GET", "/events") as answer,
    ):
        seen = b""
        async for chunk in answer.aiter_bytes():
            seen += chunk
            if seen.count(b": keepalive\n\n") >= 2:
                break


async def test_a_revoked_credential_ends_the_stream(plumber: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "KEEPALIVE", 0.02)
    async with (
        serving(plumber) as server,
        httpx.AsyncClient(base_url=server.url, headers=PERSON_HEADERS) as client,
        client.stream("GET", "/events") as answer,
    ):
        plumber.revoked.add(PERSON)
        async with asyncio.timeout(5):
            async for _ in answer.aiter_bytes():
                pass


async def test_a_client_that_hangs_up_is_not_followed_any_more(plumber: Any) -> None:
    plumber.events = [event(1)]
    before = len(asyncio.all_tasks())
    async with serving(plumber) as server:
        await read(server.url, 1)
        await wait_until(lambda: not server.server.server_state.tasks)
    await wait_until(lambda: len(asyncio.all_tasks()) <= before)


async def test_streams_end_when_the_server_stops(plumber: Any) -> None:
    async with serving(plumber) as server, httpx.AsyncClient(base_url=server.url, headers=PERSON_HEADERS) as client:
        async with client.stream("GET", "/events") as answer:
            chunks = answer.aiter_bytes()
            await anext(chunks)
            server.stop.set()
            async with asyncio.timeout(5):
                assert [chunk async for chunk in chunks] == []
        async with asyncio.timeout(5):
            await server.running
