"""The application inside another: under a path of Starlette, of Litestar, and with or without a lifespan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from litestar import Litestar, asgi
from starlette.applications import Starlette
from starlette.routing import Mount

from plumber_core.app import Plumber
from plumber_server.app import create_app
from support.fake_plumber import FakePlumber
from support.web_server import PERSON_HEADERS, asgi_client


def under_starlette(inner: Any) -> Any:
    return Starlette(routes=[Mount("/ops/plumber", app=inner)])


def under_litestar(inner: Any) -> Any:
    @asgi("/ops/plumber", is_mount=True, copy_scope=True)
    async def mounted(scope: Any, receive: Any, send: Any) -> None:
        await inner(scope, receive, send)

    return Litestar([mounted], openapi_config=None, logging_config=None)


@pytest.mark.parametrize("frame", [under_starlette, under_litestar])
async def test_everything_works_under_a_path(frame: Callable[[Any], Any]) -> None:
    plumber: Any = FakePlumber()
    plumber.logs["at1"] = b""
    async with asgi_client(frame(create_app(plumber)), PERSON_HEADERS) as client:
        answers = {
            path: (await client.request(method, f"/ops/plumber{path}", content=body)).status_code
            for method, path, body in [
                ("GET", "/", b""),
                ("GET", "/health", b""),
                ("GET", "/openapi.json", b""),
                ("GET", "/logs/at1", b""),
                ("POST", "/api/session.whoami", b""),
                ("POST", "/rpc", b'{"jsonrpc":"2.0","id":1,"method":"session.whoami"}'),
                ("GET", "/nowhere", b""),
            ]
        }
        refused = await client.post("/ops/plumber/api/session.whoami", headers={"Authorization": ""})
    assert answers.pop("/nowhere") == 404
    assert set(answers.values()) == {200}
    assert refused.status_code == 401


async def test_the_document_knows_where_it_is_mounted() -> None:
    plumber: Any = FakePlumber()
    async with asgi_client(under_starlette(create_app(plumber))) as client:
        document = (await client.get("/ops/plumber/openapi.json")).json()
    assert document["servers"] == [{"url": "/ops/plumber"}]


async def test_two_applications_in_one_process_do_not_clash() -> None:
    one, two = (create_app(FakePlumber()) for _ in range(2))  # type: ignore[arg-type]
    both = Starlette(routes=[Mount("/one", app=one), Mount("/two", app=two)])
    async with asgi_client(both, PERSON_HEADERS) as client:
        assert [(await client.get(f"/{name}/metrics")).status_code for name in ("one", "two")] == [200, 200]


async def test_the_lifespan_opens_and_closes_a_plumber_that_is_not_open(tmp_path: Any) -> None:
    plumber = Plumber(f"sqlite:///{tmp_path}/p.db", local_agent=False)
    app = create_app(plumber)
    async with app.lifespan(), asgi_client(app) as client:
        assert plumber.is_open
        assert (await client.get("/health")).status_code == 200
    assert not plumber.is_open


async def test_the_lifespan_leaves_an_open_plumber_open(tmp_path: Any) -> None:
    async with Plumber(f"sqlite:///{tmp_path}/p.db", local_agent=False) as plumber:
        app = create_app(plumber)
        async with app.lifespan():
            pass
        assert plumber.is_open


async def test_a_plumber_that_nobody_opened_is_an_unhealthy_server(tmp_path: Any) -> None:
    app = create_app(Plumber(f"sqlite:///{tmp_path}/p.db", local_agent=False))
    async with asgi_client(app, PERSON_HEADERS) as client:
        assert (await client.get("/health")).status_code == 503
        assert (await client.post("/api/session.whoami")).status_code == 503
        assert (await client.post("/api/session.login", content=b'{"username":"a","password":"b"}')).status_code == 503
