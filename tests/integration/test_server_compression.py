"""Answers as gzip: for those who take it, and never where bytes are streamed."""

from __future__ import annotations

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from plumber_core.model.views import Page, TaskSummary
from plumber_core.protocol.frames import STDOUT, encode_frame
from plumber_server import compression, create_app
from support.fake_plumber import FakePlumber
from support.web_server import PERSON_HEADERS, asgi_client, serving

TAKES = ["gzip", "deflate, gzip;q=0.5, br", "*", "x-gzip", "GZIP", "gzip; q=1.0", "identity;q=0, gzip"]
LEAVES = ["", "identity", "gzip;q=0", "gzip; q=0.0, *", "br", "*;q=0", "gzip;q=nonsense", "agzip", "br, gzip;q=0"]
CALL = {"jsonrpc": "2.0", "id": 1, "method": "task.list", "params": {}}


@pytest.fixture
def plumber() -> FakePlumber:
    """It answers with many tasks."""
    found = FakePlumber()
    found.answers["task.list"] = Page[TaskSummary].model_construct(items=_tasks(2000), next=None)
    return found


def _tasks(count: int) -> list[TaskSummary]:
    names: dict[str, Any] = dict.fromkeys(TaskSummary.model_fields)
    return [TaskSummary.model_construct(**(names | {"name": f"task-{number}"})) for number in range(count)]


@pytest.fixture
async def client(plumber: FakePlumber) -> AsyncIterator[httpx.AsyncClient]:
    """A person's program that says itself what it takes."""
    async with asgi_client(create_app(plumber), PERSON_HEADERS) as found:  # type: ignore[arg-type]
        yield found


async def _asked(client: httpx.AsyncClient, path: str, accepted: str) -> tuple[httpx.Response, bytes]:
    """Return an answer and its bytes as they came."""
    method, body = ("GET", None) if path == "/openapi.json" else ("POST", {} if path.startswith("/api/t") else CALL)
    request = client.build_request(method, path, json=body, headers={"Accept-Encoding": accepted})
    answer = await client.send(request, stream=True)
    return answer, b"".join([piece async for piece in answer.aiter_raw()])


@pytest.mark.parametrize("path", ["/api/task.list", "/rpc", "/api/rpc", "/openapi.json"])
@pytest.mark.parametrize("accepted", TAKES[:2])
async def test_large_answers_are_packed_for_who_takes_it(client: httpx.AsyncClient, path: str, accepted: str) -> None:
    answer, raw = await _asked(client, path, accepted)
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-length"] == str(len(raw))
    assert "accept-encoding" in answer.headers["vary"].lower()
    _, plain = await _asked(client, path, "identity")
    assert gzip.decompress(raw) == plain and len(raw) * 4 < len(plain)
    json.loads(plain)


@pytest.mark.parametrize("path", ["/api/task.list", "/rpc", "/openapi.json"])
@pytest.mark.parametrize("accepted", LEAVES[:3])
async def test_and_for_nobody_else(client: httpx.AsyncClient, path: str, accepted: str) -> None:
    answer, raw = await _asked(client, path, accepted)
    assert "content-encoding" not in answer.headers
    assert "accept-encoding" in answer.headers["vary"].lower()
    json.loads(raw)


def test_what_a_client_takes() -> None:
    assert [accepted for accepted in TAKES if not compression.takes_gzip(accepted)] == []
    assert [accepted for accepted in LEAVES if compression.takes_gzip(accepted)] == []


@pytest.mark.parametrize("accepted", [TAKES[0], "gzip;q=0"])
async def test_files_of_the_page_follow_the_same_rule(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, accepted: str
) -> None:
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><head></head>")
    (tmp_path / "assets" / "a.js").write_text("x" * 5000)
    monkeypatch.setattr("plumber_web.dist", lambda: tmp_path)
    async with asgi_client(create_app(FakePlumber())) as client:  # type: ignore[arg-type]
        answer = await client.get("/assets/a.js", headers={"Accept-Encoding": accepted})
    assert ("content-encoding" in answer.headers) == (accepted in TAKES)
    assert answer.text == "x" * 5000


async def test_small_answers_stay_as_they_are(client: httpx.AsyncClient, plumber: FakePlumber) -> None:
    plumber.answers["task.list"] = Page[TaskSummary](items=[], next=None)
    for path in ("/api/task.list", "/rpc"):
        answer, raw = await _asked(client, path, "gzip")
        assert len(raw) < compression.SMALLEST and "content-encoding" not in answer.headers


@pytest.mark.parametrize("path", ["/events", "/logs/a1", "/logs/a1?format=raw"])
async def test_streams_and_logs_are_never_packed(plumber: Any, path: str) -> None:
    plumber.logs["a1"] = encode_frame(STDOUT, 1, b"x" * 100_000)
    headers = {**PERSON_HEADERS, "Accept-Encoding": "gzip"}
    try:
        async with (
            serving(plumber) as server,
            httpx.AsyncClient(base_url=server.url, headers=headers) as client,
            client.stream("GET", path) as answer,
        ):
            assert answer.status_code == 200
            assert "content-encoding" not in answer.headers
    finally:
        plumber.stopped.set()


def test_what_is_packed_is_always_the_same() -> None:
    body = json.dumps(list(range(100_000))).encode()
    assert compression.gzipped(body) == compression.gzipped(body)
    assert gzip.decompress(compression.gzipped(body)) == body
