"""Logs over HTTP: frames, text, and the exact bytes of a stream whatever its size."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import httpx
import pytest

from plumber_client._answers import read_slice
from plumber_core.protocol.frames import MAX_FRAME, STDERR, STDOUT, SYSTEM, encode_frame
from plumber_server.app import create_app
from plumber_server.frames import PIECE
from support.fake_plumber import FakePlumber
from support.web_server import PERSON_HEADERS, asgi_client, serving


@pytest.fixture
def plumber() -> Any:
    plumber = FakePlumber()
    frames = [(STDOUT, b"one\n"), (STDERR, b"\xffwarn\n"), (SYSTEM, b"note"), (STDOUT, "好".encode())]
    plumber.logs["at1"] = b"".join(encode_frame(stream, 5, data) for stream, data in frames)
    return plumber


async def get(plumber: Any, path: str) -> httpx.Response:
    async with asgi_client(create_app(plumber), PERSON_HEADERS) as client:
        return await client.get(path)


async def test_frames_come_as_they_are_stored(plumber: Any) -> None:
    answer = await get(plumber, "/logs/at1?offset=13")
    log = plumber.logs["at1"]
    assert answer.headers["content-type"] == "application/vnd.plumber.frames"
    piece = read_slice("at1", 13, answer)
    assert (piece.data, piece.end, piece.complete) == (log[13:], len(log), True)


async def test_a_limit_below_the_next_frame_still_goes_on(plumber: Any) -> None:
    plumber.logs["at1"] = encode_frame(STDOUT, 0, b"x" * MAX_FRAME)
    assert (await get(plumber, "/logs/at1?limit=1")).content == plumber.logs["at1"]


async def test_text_is_both_streams_decoded(plumber: Any) -> None:
    answer = await get(plumber, "/logs/at1?format=text")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "one\n\ufffdwarn\n好"


@pytest.mark.parametrize(("query", "content"), [("", "one\n好".encode()), ("&stream=stderr", b"\xffwarn\n")])
async def test_raw_is_the_exact_bytes_of_a_stream_as_a_download(plumber: Any, query: str, content: bytes) -> None:
    answer = await get(plumber, f"/logs/at1?format=raw{query}")
    assert answer.content == content
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"


async def test_an_empty_log_is_empty(plumber: Any) -> None:
    plumber.logs["at1"] = b""
    for form in ("frames", "text", "raw"):
        answer = await get(plumber, f"/logs/at1?format={form}")
        assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("form", ["frames", "text", "raw"])
async def test_an_unknown_attempt_is_not_found(plumber: Any, form: str) -> None:
    answer = await get(plumber, f"/logs/nobody?format={form}")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("query", "field"),
    [("offset=x", "offset"), ("offset=-1", "offset"), ("limit=0", "limit"), ("format=xml", "format"),
     ("format=raw&stream=stdin", "stream"), ("format=raw&offset=3", "offset"), ("format=text&line=3", "line"),
     ("format=raw&tail=3", "tail"), ("line=-1", "line"), ("tail=x", "tail")],
)  # fmt: skip
async def test_bad_queries_name_the_field(plumber: Any, query: str, field: str) -> None:
    answer = await get(plumber, f"/logs/at1?{query}")
    assert (answer.status_code, answer.json()["arguments"]["field"]) == (400, field)


async def test_a_large_log_streams_completely_in_small_pieces(plumber: Any) -> None:
    block = bytes(range(256)) * (MAX_FRAME // 256)
    plumber.logs["big"] = b"".join(encode_frame(STDOUT, n, block) for n in range(200))
    digest, size = hashlib.sha256(), 0
    async with (
        serving(plumber) as server,
        httpx.AsyncClient(base_url=server.url, headers=PERSON_HEADERS) as client,
        client.stream("GET", "/logs/big?format=raw") as answer,
    ):
        async for chunk in answer.aiter_bytes():
            digest.update(chunk)
            size += len(chunk)
    assert size == 200 * len(block)
    wanted = hashlib.sha256()
    for data in itertools.repeat(block, 200):
        wanted.update(data)
    assert digest.digest() == wanted.digest()
    assert plumber.largest_read <= PIECE


async def test_a_log_that_breaks_off_ends_the_download_with_an_error(plumber: Any) -> None:
    whole = b"".join(encode_frame(STDOUT, n, b"x" * MAX_FRAME) for n in range(10))
    plumber.logs["torn"] = whole

    class Torn(type(plumber.acting_as(None))):  # type: ignore[misc]
        async def read_log(self, attempt: str, offset: int = 0, limit: int = 0) -> Any:
            piece = await super().read_log(attempt, offset, limit)
            return piece if offset == 0 else piece.model_copy(update={"data": b""})

    plumber.acting_as = lambda principal, **_: Torn(plumber, principal)
    async with serving(plumber) as server, httpx.AsyncClient(base_url=server.url, headers=PERSON_HEADERS) as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get("/logs/torn?format=raw")
