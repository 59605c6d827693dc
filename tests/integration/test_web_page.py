"""The built page, its files and its session, as the server gives them."""

from __future__ import annotations

import functools
import gzip
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from litestar import Litestar

from plumber_core.app import Plumber
from plumber_core.config import Settings
from plumber_server import create_app
from support.fake_plumber import FakePlumber
from support.web_server import asgi_client

HTML = {"Accept": "text/html,*/*"}
OWN = {"X-Plumber-Request": "1"}
LOGIN = {"username": "admin", "password": "correct horse battery"}


@pytest.fixture
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A built page."""
    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<!doctype html><html><head></head><body>PAGE</body></html>")
    (tmp_path / "assets" / "index-abc.js").write_text("console.log(1);" * 200)
    monkeypatch.setattr("plumber_web.dist", lambda: tmp_path)
    return tmp_path


@pytest.fixture
async def client(built: Path) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without a session."""
    async with asgi_client(create_app(FakePlumber())) as found:  # type: ignore[arg-type]
        yield found


@pytest.fixture
async def person(built: Path, sqlite_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """A browser without a session, in front of a real control plane."""
    plumber = Plumber(sqlite_url, local_agent=False, admin_password=LOGIN["password"])
    async with plumber, asgi_client(create_app(plumber)) as found:
        yield found


@pytest.mark.parametrize("path", ["/", "/tasks/deploy", "/executions/1?layout=log", "/fleet/web-1.example.org"])
async def test_addresses_of_the_page_show_it(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers=HTML)
    assert answer.status_code == 200 and "PAGE" in answer.text
    assert "unsafe" not in answer.headers["content-security-policy"]
    assert "script-src 'self'" in answer.headers["content-security-policy"]
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/api/nope", "/rpc/nope", "/assets/nope.js", "/logs/a/b/c", "/install/nope"])
async def test_unknown_addresses_of_programs_stay_unknown(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path, headers=HTML)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_program_is_told_that_there_is_nothing(client: httpx.AsyncClient) -> None:
    assert (await client.get("/tasks/deploy", headers={"Accept": "application/json"})).status_code == 404
    assert (await client.post("/tasks/deploy", headers=HTML)).status_code == 404


async def test_the_page_knows_the_path_that_it_is_mounted_under(built: Path) -> None:
    transport = httpx.ASGITransport(app=create_app(FakePlumber()), root_path="/ops")  # type: ignore[arg-type]
    async with httpx.AsyncClient(transport=transport, base_url="http://plumber.test") as client:
        assert '<base href="/ops/">' in (await client.get("/", headers=HTML)).text


async def test_files_are_packed_and_kept_for_ever(client: httpx.AsyncClient, built: Path) -> None:
    packed = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": "gzip"})
    plain = await client.get("/assets/index-abc.js", headers={"Accept-Encoding": "identity"})
    assert packed.headers["content-encoding"] == "gzip" and "immutable" in packed.headers["cache-control"]
    assert packed.content == plain.content == (built / "assets" / "index-abc.js").read_bytes()
    assert int(packed.headers["content-length"]) == len(gzip.compress(plain.content, 9, mtime=0))
    assert "content-encoding" not in plain.headers


async def _log_in(person: httpx.AsyncClient) -> httpx.Response:
    return await person.post("/session", json=LOGIN, headers=OWN)


async def test_a_login_sets_a_cookie_that_no_script_and_no_other_site_can_use(person: httpx.AsyncClient) -> None:
    answer = await _log_in(person)
    cookie = answer.headers["set-cookie"].lower()
    assert answer.status_code == 200 and "token" not in answer.json()
    assert "httponly" in cookie and "samesite=strict" in cookie and "path=/" in cookie


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {**OWN, "Origin": "https://evil.example"},
        {**OWN, "Sec-Fetch-Site": "cross-site"},
        {**OWN, "Sec-Fetch-Site": "same-site"},
    ],
)
async def test_another_site_can_neither_log_in_nor_write(person: httpx.AsyncClient, headers: dict[str, str]) -> None:
    refused = await person.post("/session", json=LOGIN, headers=headers)
    assert refused.status_code == 403 and refused.json()["code"] == "cross_site"
    await _log_in(person)
    refused = await person.post("/api/session.whoami", json={}, headers=headers)
    assert refused.status_code == 403 and refused.json()["code"] == "cross_site"


PUBLIC = "https://ops.example/plumber"
HOST, REWRITTEN = "plumber.test", "10.0.0.5:52281"
OWN_ORIGINS = [
    (None, HOST, "http://plumber.test"),
    (None, HOST, "https://plumber.test"),
    (PUBLIC, HOST, "http://plumber.test"),
    (PUBLIC, REWRITTEN, "https://ops.example"),
    (PUBLIC, REWRITTEN, "https://ops.example:443"),
    (PUBLIC, REWRITTEN, "https://OPS.example"),
    (PUBLIC, REWRITTEN, "http://10.0.0.5:52281"),
    ("http://ops.example:8080", REWRITTEN, "http://ops.example:8080"),
]
FOREIGN_ORIGINS = [
    (None, HOST, "null"),
    (None, "", "null"),
    (None, HOST, "https://ops.example"),
    (None, HOST, "http://plumber.test:8080"),
    (None, HOST, "http://plumber.test.evil.example"),
    (None, HOST, "http://plumber.test@evil.example"),
    (None, HOST, "http://evil.example/plumber.test"),
    (PUBLIC, REWRITTEN, "null"),
    (PUBLIC, REWRITTEN, "http://ops.example"),
    (PUBLIC, REWRITTEN, "https://ops.example:8443"),
    (PUBLIC, REWRITTEN, "https://ops.example:port"),
    (PUBLIC, REWRITTEN, "https://ops.example.evil.example"),
    (PUBLIC, REWRITTEN, "https://evil.example"),
]


@pytest.mark.parametrize(("public_url", "host", "origin"), OWN_ORIGINS)
async def test_the_page_may_write_from_every_address_of_its_own(public_url: str | None, host: str, origin: str) -> None:
    assert await _written_from(public_url, host, origin) == ["", ""]


@pytest.mark.parametrize(("public_url", "host", "origin"), FOREIGN_ORIGINS)
async def test_no_other_origin_may_write(public_url: str | None, host: str, origin: str) -> None:
    assert await _written_from(public_url, host, origin) == ["cross_site"] * 2


async def _written_from(public_url: str | None, host: str, origin: str) -> list[str]:
    """Write with a session's cookie, as a page of this origin does; return the errors' codes."""
    headers = {**OWN, "Host": host, "Origin": origin, "Cookie": "plumber_session=plm_person"}
    async with asgi_client(_app(public_url)) as client:
        rest = (await client.post("/api/session.whoami", json={}, headers=headers)).json()
        rpc = (await client.post("/rpc", json=WHOAMI, headers=headers)).json()
    return [rest.get("code", ""), rpc.get("error", {}).get("data", {}).get("code", "")]


@functools.cache
def _app(public_url: str | None) -> Litestar:
    return create_app(FakePlumber(), settings=Settings(public_url=public_url))  # type: ignore[arg-type]


WHOAMI = {"jsonrpc": "2.0", "id": 1, "method": "session.whoami", "params": {}}


async def test_the_page_itself_may_write(person: httpx.AsyncClient) -> None:
    await _log_in(person)
    headers = {**OWN, "Origin": "http://plumber.test", "Sec-Fetch-Site": "same-origin"}
    assert (await person.post("/api/session.whoami", json={}, headers=headers)).status_code == 200


async def test_a_bearer_token_needs_no_header_of_the_page(person: httpx.AsyncClient) -> None:
    token = (await person.post("/api/session.login", json=LOGIN)).json()["token"]
    answer = await person.post("/api/session.whoami", json={}, headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 200


async def test_logging_out_removes_the_cookie(person: httpx.AsyncClient) -> None:
    await _log_in(person)
    assert (await person.delete("/session", headers=OWN)).status_code == 200
    assert "plumber_session" not in person.cookies
    assert (await person.post("/api/session.whoami", json={}, headers=OWN)).status_code == 401
