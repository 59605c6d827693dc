"""Deny by default: who may call what, over every route that the application has."""

from __future__ import annotations

import functools
import json
from typing import Any

import httpx
import pytest
from litestar import Litestar, get

from plumber_core.control.plane import operations
from plumber_core.errors import StartupError
from plumber_server.app import create_app
from plumber_server.original import METHODS
from support.fake_plumber import AGENT, PERSON, FakePlumber
from support.web_server import asgi_client

PUBLIC = {
    ("GET", "/"),
    ("HEAD", "/"),
    ("GET", "/assets/{name:str}"),
    ("POST", "/session"),
    ("DELETE", "/session"),
    ("GET", "/health"),
    ("HEAD", "/health"),
    ("GET", "/ready"),
    ("HEAD", "/ready"),
    ("GET", "/openapi.json"),
    ("GET", "/install.sh"),
    ("HEAD", "/install.sh"),
    ("GET", "/install/{name:str}"),
    ("HEAD", "/install/{name:str}"),
    ("POST", "/api/session.login"),
    ("POST", "/api/agent.redeem"),
    ("POST", "/rpc"),
    ("POST", "/api/rpc"),
}
"""``/rpc`` decides for each method: see the second matrix."""
CREDENTIALS: dict[str, dict[str, str]] = {
    "none": {},
    "garbage": {"Authorization": "Bearer garbage"},
    "basic": {"Authorization": "Basic YWRtaW46YWRtaW4="},
    "empty": {"Authorization": "Bearer "},
    "long": {"Authorization": "Bearer " + "x" * 5000},
    "person": {"Authorization": f"Bearer {PERSON}"},
    "agent": {"Authorization": f"Bearer {AGENT}"},
    "agent header": {"X-Agent-Token": AGENT},
    "person as agent header": {"X-Agent-Token": PERSON},
}


@functools.cache
def _app() -> Litestar:
    """One application for the matrices: nothing that a refused call does may stay in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("plumber_web.dist", lambda: None)
        return create_app(FakePlumber())  # type: ignore[arg-type]


def _routes() -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for route in _app().routes:
        methods = getattr(route, "methods", None) or {"POST"}
        found += [(method, route.path) for method in sorted(methods) if method != "OPTIONS"]
    return found


def _wants_agent(path: str) -> bool:
    return path.startswith("/agent/")


async def _call(method: str, path: str, headers: dict[str, str]) -> httpx.Response:
    async with asgi_client(_app(), headers) as client:
        return await client.request(method, path.replace("{attempt:str}", "a1"), content=b"{}")


def test_the_public_routes_are_these_and_no_more() -> None:
    routes = _routes()
    assert set(routes) >= PUBLIC
    assert len(routes) > 40


@pytest.mark.parametrize("credential", CREDENTIALS)
async def test_every_other_route_refuses_the_wrong_credential(credential: str) -> None:
    for method, path in _routes():
        if (method, path) in PUBLIC or path == "/events":
            continue
        right = "agent" if _wants_agent(path) else "person"
        answer = await _call(method, path, CREDENTIALS[credential])
        if credential == right:
            assert answer.status_code not in (401, 403), (method, path)
        else:
            assert answer.status_code in (401, 403), (method, path, answer.text)
            assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("credential", [name for name in CREDENTIALS if name != "person"])
async def test_events_refuse_the_wrong_credential(credential: str) -> None:
    assert (await _call("GET", "/events", CREDENTIALS[credential])).status_code == 401


def _method_class(name: str) -> str:
    if name in METHODS:
        return METHODS[name].access
    return "public" if operations()[name].public else "person"


def _example(name: str) -> dict[str, Any]:
    if name not in METHODS:
        return {}
    return {field: 0 if field == "exit_code" else "x" for field in METHODS[name].params.model_fields}


@pytest.mark.parametrize("name", [name for name in [*operations(), *METHODS] if "login" not in name])
@pytest.mark.parametrize("credential", CREDENTIALS)
async def test_every_method_refuses_the_wrong_credential(name: str, credential: str) -> None:
    wanted = _method_class(name)
    right = {"person": "person", "agent": "agent header"}.get(wanted)
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": name, "params": _example(name)})
    async with asgi_client(_app(), CREDENTIALS[credential]) as client:
        answer = await client.post("/rpc", content=body)
    refused = answer.status_code == 401 and answer.json()["error"]["data"]["code"] == "unauthenticated"
    assert refused == (wanted != "public" and credential != right)


async def test_an_app_with_an_undeclared_route_does_not_start() -> None:
    @get("/forgotten")
    async def forgotten() -> str:
        return "open"

    with pytest.raises(StartupError, match="/forgotten does not declare"):
        create_app(FakePlumber(), extra_routes=[forgotten])  # type: ignore[arg-type]


async def test_health_tells_nothing_but_ok() -> None:
    answer = await _call("GET", "/health", {})
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_an_unhealthy_server_is_not_green() -> None:
    plumber: Any = FakePlumber()
    plumber.healthy = False
    async with asgi_client(create_app(plumber)) as client:
        health, ready = await client.get("/health"), await client.get("/ready")
    assert (health.status_code, health.json()) == (503, {"status": "unavailable"})
    assert ready.json()["reasons"]


async def test_metrics_are_numbers_for_people_with_a_credential() -> None:
    answer = await _call("GET", "/metrics", CREDENTIALS["person"])
    assert "plumber_steps_dispatched_total 3.0" in answer.text
    assert "# TYPE plumber_agents_online gauge" in answer.text


async def test_the_callers_address_is_the_sockets() -> None:
    plumber: Any = FakePlumber()
    headers = {**CREDENTIALS["person"], "X-Forwarded-For": "6.6.6.6", "Forwarded": "for=6.6.6.6"}
    async with asgi_client(create_app(plumber), headers) as client:
        await client.post("/api/session.whoami")
    assert plumber.addresses == ["127.0.0.1"]
