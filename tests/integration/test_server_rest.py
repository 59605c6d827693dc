"""Operations over plain HTTP: what comes in is checked once, what goes wrong names itself."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from plumber_core import errors
from plumber_core.control.plane import operations
from plumber_core.model.limits import MAX_REQUEST_BODY
from plumber_core.model.states import ExecutionState
from plumber_core.model.views import AgentConfig, ExecutionSummary, Page
from plumber_server.app import create_app
from support.fake_plumber import ALICE, PERSON, FakePlumber
from support.web_server import PERSON_HEADERS, asgi_client

NOW = datetime(2026, 11, 23, tzinfo=UTC)
SUMMARY = ExecutionSummary(
    id="e1", task="t", task_id="t1", revision=1, state=ExecutionState.RUNNING, requested_by="alice", created_at=NOW
)


@pytest.fixture
def plumber() -> Any:
    return FakePlumber()


async def post(plumber: Any, path: str, body: bytes | Any = b"", **headers: str) -> Any:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    async with asgi_client(create_app(plumber), {**PERSON_HEADERS, **headers}) as client:
        return await client.post(path, content=content)


async def test_an_operation_gets_typed_arguments_and_answers_json(plumber: Any) -> None:
    plumber.answers["execution.list"] = Page[ExecutionSummary](items=[SUMMARY])
    answer = await post(plumber, "/api/execution.list", {"state": "running", "limit": 5})
    assert answer.status_code == 200
    assert answer.json()["items"][0]["id"] == "e1"
    wanted = {"task": None, "state": ExecutionState.RUNNING, "search": "", "by": None, "limit": 5, "cursor": None}
    assert plumber.calls == [("execution.list", wanted)]


async def test_an_empty_body_is_no_arguments(plumber: Any) -> None:
    assert (await post(plumber, "/api/session.whoami")).json() == ALICE.model_dump()


BAD = [
    (b'{"task": 5}', 400, "task", "valid string"),
    (b"{}", 400, "task", "required"),
    (b'{"task": "x", "parametres": {}}', 400, "parametres", "parameters"),
    (b'{"task": "x", "revision": "5"}', 400, "revision", "integer"),
    (b'{"task": "x", "revision": 4294967296}', 400, "revision", "less than"),
    (b'{"task": "x", "parameters": []}', 400, "parameters", "dictionary"),
    (b'{"task": "a\\u0000b"}', 400, "task", "NUL"),
    (b'{"task": "\xff"}', 400, "body", "UTF-8"),
    (b'{"task": "x"', 400, "body", "not JSON"),
    (b"[" * 100_000, 400, "body", "64 levels"),
    (b'["x"]', 400, "body", "object"),
    (b'{"task": "x", "task": "y"}', 400, "body", "task"),
    (b'{"task": NaN}', 400, "body", "NaN"),
    (b" " * (MAX_REQUEST_BODY + 1), 413, "body", str(MAX_REQUEST_BODY)),
]


@pytest.mark.parametrize(("body", "status", "field", "reason"), BAD)
async def test_bad_input_names_the_field_and_the_reason(
    plumber: Any, body: bytes, status: int, field: str, reason: str
) -> None:
    answer = await post(plumber, "/api/task.run", body)
    told = answer.json()
    assert (answer.status_code, told["status"]) == (status, status)
    assert answer.headers["content-type"] == "application/problem+json"
    assert told["arguments"]["field"] == field
    assert reason in told["detail"]
    assert plumber.calls == []


async def test_every_wrong_field_is_listed(plumber: Any) -> None:
    told = (await post(plumber, "/api/task.run", {"task": 5, "reason": 5})).json()
    assert [wrong["field"] for wrong in told["arguments"]["errors"]] == ["task", "reason"]


async def test_a_body_without_a_length_is_counted(plumber: Any) -> None:
    async def endless() -> Any:
        for _ in range(3):
            yield b" " * MAX_REQUEST_BODY

    async with asgi_client(create_app(plumber), PERSON_HEADERS) as client:
        assert (await client.post("/api/task.run", content=endless())).status_code == 413


ERRORS: list[tuple[errors.PlumberError, int]] = [
    (errors.ValidationFailed(problems=[]), 400),
    (errors.NobodyMatches(step="a", target="b"), 400),
    (errors.Unauthenticated(), 401),
    (errors.WrongPassword(), 401),
    (errors.Forbidden(action="task:run"), 403),
    (errors.NotFound(kind="task", name="x", nearest="y"), 404),
    (errors.Conflict(reason="ended"), 409),
    (errors.TransitionRefused(current="a", wanted="b", event="c"), 409),
    (errors.TooLarge(field="x", actual=2, unit="bytes", limit=1), 413),
    (errors.RateLimited(retry_after=7), 429),
    (errors.Unavailable(reason="locked"), 503),
]


@pytest.mark.parametrize(("error", "status"), ERRORS)
async def test_each_error_has_its_status_and_crosses_with_code_and_arguments(
    plumber: Any, error: errors.PlumberError, status: int
) -> None:
    plumber.answers["task.run"] = error
    answer = await post(plumber, "/api/task.run", {"task": "x"})
    told = answer.json()
    assert answer.status_code == status
    assert (told["code"], told["arguments"], told["detail"]) == (error.code, error.arguments, error.explain())
    assert ("retry-after" in answer.headers) == (status in (429, 503))


def test_every_error_class_has_a_status() -> None:
    from plumber_server.errors import problem

    for kind in errors.error_classes().values():
        assert 400 <= problem(kind()).status < 600


async def test_an_unexpected_error_says_nothing_about_the_inside(plumber: Any) -> None:
    plumber.answers["task.run"] = RuntimeError("SELECT secret FROM /etc/passwd")
    answer = await post(plumber, "/api/task.run", {"task": "x"})
    assert (answer.status_code, answer.json()["code"]) == (500, "error")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize(
    ("header", "language"),
    [("zh-CN,zh;q=0.9,en;q=0.8", "zh"), ("en-US", "en"), ("fr, zh;q=0.1", "zh"), ("zh;q=0, *", "en"), (";;q=x,", "en")],
)
def test_the_language_is_negotiated(header: str, language: str) -> None:
    from plumber_server.language import negotiate

    assert negotiate(header) == language


async def test_unknown_addresses_and_methods_are_problems_too(plumber: Any) -> None:
    async with asgi_client(create_app(plumber), PERSON_HEADERS) as client:
        nowhere, wrong = await client.get("/nowhere"), await client.get("/api/task.run")
        rpc = await client.get("/rpc")
    assert (nowhere.status_code, nowhere.json()["code"]) == (404, "not_found")
    assert (wrong.status_code, wrong.json()["code"]) == (405, "method_not_allowed")
    assert "POST" in wrong.headers["allow"]
    assert rpc.status_code == 405


async def test_an_agent_json_names_the_address_that_the_caller_used(plumber: Any) -> None:
    plumber.answers["agent.rotate"] = AgentConfig(id="a", token="t", server_addr="")
    answer = await post(plumber, "/api/agent.rotate", {"agent": "a"}, Host="ops.example:8443")
    assert answer.json()["server_addr"] == "http://ops.example:8443"


async def test_the_document_describes_every_operation(plumber: Any) -> None:
    async with asgi_client(create_app(plumber)) as client:
        document = (await client.get("/openapi.json")).json()
    assert document["openapi"].startswith("3.1")
    described = {method["post"]["operationId"] for method in document["paths"].values()}
    assert described == set(operations())
    apply = document["paths"]["/api/task.apply"]["post"]
    assert set(apply["responses"]) == {"200", "400", "401", "403", "404", "409", "410", "413", "429", "503"}
    assert apply["security"] == [{"bearer": []}]
    assert document["components"]["schemas"]["TaskApplyIn"]["additionalProperties"] is False


async def test_the_front_page_is_plain_and_strict_where_no_page_is_built(
    plumber: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumber_web.dist", lambda: None)
    async with asgi_client(create_app(plumber)) as client:
        english = await client.get("/")
        chinese = await client.get("/", headers={"Accept-Language": "zh"})
    assert "plumber login http://plumber.test" in english.text
    assert '<html lang="zh">' in chinese.text
    policy = english.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert PERSON not in english.text
    for outside in ("<script", "src=", "https://"):
        assert outside not in english.text


@pytest.mark.parametrize("path", ["/", "/health", "/openapi.json", "/nowhere", "/rpc", "/metrics"])
async def test_every_answer_forbids_sniffing(plumber: Any, path: str) -> None:
    async with asgi_client(create_app(plumber)) as client:
        assert (await client.get(path)).headers["x-content-type-options"] == "nosniff"
