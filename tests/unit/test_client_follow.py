"""The event stream goes on over broken connections without a gap or a repeat."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import aclosing, closing
from itertools import pairwise

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumber_client import AsyncClient, Client
from plumber_client._cursor import LONGEST_PAUSE, Cursor
from plumber_client._sse import Message, SseParser
from plumber_core.errors import Forbidden, ProtocolError, Unreachable
from plumber_core.model.views import Event, LogGrowth

AT_ONCE = b"retry: 0\n\n"


def event(number: int, kind: str = "step.ended") -> bytes:
    data = json.dumps({"id": f"e{number}", "at": "2026-11-23T12:00:00Z", "kind": kind, "data": {"text": "a\u2028b"}})
    return f"id: e{number}\nevent: {kind}\ndata: {data}\n\n".encode()


GROWTH = b'event: log\ndata: {"execution": "x", "step_execution": "s", "attempt": "a", "end": 9}\n\n'


class Broken(httpx.AsyncByteStream, httpx.SyncByteStream):
    """A body that comes in these pieces and then breaks off."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        yield from self.pieces
        raise httpx.ReadError("connection reset")

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece


class Connections:
    """Answers each connection with the next body; remembers where each wanted to go on."""

    def __init__(self, *bodies: list[bytes] | Exception) -> None:
        self.bodies = iter(bodies)
        self.resumed: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.resumed.append(request.headers.get("Last-Event-ID"))
        body = next(self.bodies)
        if isinstance(body, Exception):
            raise body
        return httpx.Response(200, stream=Broken(body))


async def first(connections: Connections, count: int, after: str | None = None) -> list[str]:
    taken: list[str] = []
    async with (
        AsyncClient("http://server", transport=httpx.MockTransport(connections)) as client,
        aclosing(client.follow(execution="x", after=after)) as items,
    ):
        async for item in items:
            taken.append(item.id if isinstance(item, Event) else f"log {item.end}")
            if len(taken) == count:
                return taken
    raise AssertionError(taken)


@pytest.mark.parametrize("kind", ["hello", "goodbye", "message", ""])
async def test_kinds_of_messages_that_this_release_does_not_know_are_passed_over(kind: str) -> None:
    unknown = f"id: e2\nevent: {kind}\ndata: not even JSON\n\n".encode()
    connections = Connections([event(1), unknown, event(3)], [])
    assert await first(connections, 2) == ["e1", "e3"]


async def test_an_unknown_message_moves_the_place_from_which_a_stream_goes_on() -> None:
    connections = Connections([event(1), b"id: e2\nevent: goodbye\ndata: {}\n\n"], [event(3)])
    assert await first(connections, 2) == ["e1", "e3"]
    assert connections.resumed == [None, "e2"]


async def test_an_event_of_a_kind_that_is_new_is_handed_on_and_one_that_cannot_be_read_is_not_passed_over() -> None:
    connections = Connections([event(1, "rollout.began"), b"id: e2\nevent: step.ended\ndata: torn\n\n"])
    assert await first(connections, 1) == ["e1"]
    with pytest.raises(ProtocolError):
        await first(Connections([event(1), b"id: e2\nevent: step.ended\ndata: torn\n\n"]), 2)


async def test_events_and_hints_come_in_order() -> None:
    assert await first(Connections([AT_ONCE, event(1), GROWTH, event(2)]), 3) == ["e1", "log 9", "e2"]


async def test_a_broken_stream_is_resumed_after_the_last_whole_event() -> None:
    whole = event(2)
    connections = Connections([AT_ONCE, event(1), whole[:40]], [event(2), event(3)])
    assert await first(connections, 3) == ["e1", "e2", "e3"]
    assert connections.resumed == [None, "e1"]


async def test_an_event_that_is_sent_again_is_left_out() -> None:
    connections = Connections([AT_ONCE, event(1)], [event(1), event(2)])
    assert await first(connections, 2) == ["e1", "e2"]


async def test_a_server_that_is_away_for_a_while_is_tried_again() -> None:
    away = httpx.ConnectError("connection refused")
    connections = Connections([AT_ONCE, event(1)], away, away, [event(2)])
    assert await first(connections, 2) == ["e1", "e2"]
    assert connections.resumed == [None, "e1", "e1", "e1"]


async def test_an_id_without_data_moves_the_cursor() -> None:
    connections = Connections([AT_ONCE, b"id: start\n\n"], [event(1)])
    assert await first(connections, 1) == ["e1"]
    assert connections.resumed == [None, "start"]


async def test_a_stream_that_broke_off_before_its_first_event_goes_on_where_it_began() -> None:
    hello = b'retry: 0\nid: e4\nevent: hello\ndata: {"cursor": "e4"}\n\n'
    connections = Connections([hello], [hello, event(5)])
    assert await first(connections, 1) == ["e5"]
    assert connections.resumed == [None, "e4"]


async def test_the_cursor_given_is_sent() -> None:
    connections = Connections([event(8)])
    await first(connections, 1, after="e7")
    assert connections.resumed == ["e7"]


async def test_a_server_that_was_never_there_is_unreachable() -> None:
    with pytest.raises(Unreachable):
        await first(Connections(httpx.ConnectError("refused")), 1)


async def test_a_refusal_is_raised() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(403, json={"code": "forbidden", "arguments": {"action": "execution:show"}})

    async with AsyncClient("http://server", transport=httpx.MockTransport(refuse)) as client:
        with pytest.raises(Forbidden):
            await anext(client.follow())


def test_the_sync_twin_follows_too() -> None:
    connections = Connections([AT_ONCE, event(1)], [event(2), GROWTH])
    with (
        Client("http://server", transport=httpx.MockTransport(connections)) as client,
        closing(client.follow()) as items,
    ):
        taken = [next(items) for _ in range(3)]
    assert isinstance(taken[2], LogGrowth)
    assert connections.resumed == [None, "e1"]


LINES = st.lists(
    st.sampled_from(
        ["data: a", "data:b", "data", "", "", ": comment", "event: log", "id: 7", "retry: 5", "x: y", "data: é\u2028"]
    )
)


@given(LINES, st.sampled_from(["\n", "\r\n", "\r"]), st.lists(st.integers(0, 200)))
def test_where_a_stream_is_cut_does_not_matter(lines: list[str], end: str, cuts: list[int]) -> None:
    stream = "".join(line + end for line in lines).encode()
    places = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    whole, pieces = SseParser(), SseParser()
    expected = whole.feed(stream) + whole.feed(b"\n")
    taken = [m for a, b in pairwise(places) for m in pieces.feed(stream[a:b])] + pieces.feed(b"\n")
    assert taken == expected
    assert pieces.last_id == whole.last_id


def test_several_data_lines_are_one_message() -> None:
    assert SseParser().feed(b"event: k\ndata: a\ndata: b\n\n") == [Message("k", "a\nb")]


def test_pauses_grow_to_a_limit_and_start_anew_with_the_first_byte() -> None:
    cursor = Cursor()
    pauses = [cursor.pause() for _ in range(20)]
    assert pauses[0] <= 0.1
    assert LONGEST_PAUSE / 2 <= pauses[-1] <= LONGEST_PAUSE
    cursor.take(b":\n")
    assert cursor.pause() <= 0.1
