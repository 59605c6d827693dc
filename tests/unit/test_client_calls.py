"""The client sends operations and gives back values, or the very errors that the engine raised."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from plumber_client import AsyncClient, Client
from plumber_client._problems import RefusedByServer
from plumber_core import errors
from plumber_core.control.plane import operations
from plumber_core.model.states import ExecutionState

if TYPE_CHECKING:
    from plumber_core.control.plane import ControlPlane

    _conforms: ControlPlane = AsyncClient("http://example")

SUMMARY = {
    "id": "x-1", "task": "deploy", "task_id": "t-1", "revision": 3, "state": "running",
    "requested_by": "admin", "created_at": "2026-11-23T12:00:00Z",
}  # fmt: skip


def answering(status: int, body: Any, *, seen: list[httpx.Request] | None = None, **headers: str) -> AsyncClient:
    """Return a client whose server gives one and the same answer."""

    def answer(request: httpx.Request) -> httpx.Response:
        if seen is not None:
            seen.append(request)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return httpx.Response(status, content=content, headers=headers)

    return AsyncClient("http://server:52281", "plm_t", transport=httpx.MockTransport(answer))


def refusing(error: errors.PlumberError, status: int = 400) -> AsyncClient:
    return answering(status, {"status": status, "title": "no", "code": error.code, "arguments": error.arguments})


async def test_an_operation_is_posted_with_its_arguments_and_the_credential() -> None:
    seen: list[httpx.Request] = []
    async with answering(200, SUMMARY, seen=seen) as client:
        execution = await client.tasks.run(task="deploy", parameters={"version": "v1"})
    assert execution.state is ExecutionState.RUNNING
    assert str(seen[0].url) == "http://server:52281/api/task.run"
    assert seen[0].headers["Authorization"] == "Bearer plm_t"
    sent = json.loads(seen[0].content)
    assert (sent["task"], sent["parameters"]) == ("deploy", {"version": "v1"})


async def test_lists_and_pages_come_as_values() -> None:
    async with answering(200, {"items": [SUMMARY], "next": "c"}) as client:
        page = await client.executions.list(state=ExecutionState.RUNNING)
    assert (page.items[0].id, page.next) == ("x-1", "c")
    async with answering(200, []) as client:
        assert await client.tokens.list() == []


@pytest.mark.parametrize("kind", errors.error_classes().values(), ids=lambda kind: kind.__name__)
async def test_every_error_comes_back_as_its_own_class(kind: type[errors.PlumberError]) -> None:
    if "handling" in kind.__module__:
        return
    async with refusing(kind(field="name", reason="taken", count=1)) as client:
        with pytest.raises(errors.PlumberError) as caught:
            await client.system.info()
    assert type(caught.value) is kind
    assert caught.value.arguments["reason"] == "taken"


async def test_an_error_of_a_newer_server_keeps_its_sentence() -> None:
    async with answering(409, {"code": "from_the_future", "detail": "Too early.", "arguments": {}}) as client:
        with pytest.raises(RefusedByServer, match=r"Too early\. \(from_the_future\)"):
            await client.system.info()


@pytest.mark.parametrize(
    ("status", "kind"), [(502, errors.Unavailable), (401, errors.Unauthenticated), (404, errors.ProtocolError)]
)
async def test_an_answer_that_is_not_plumbers(status: int, kind: type[errors.PlumberError]) -> None:
    async with answering(status, b"<html>nginx</html>") as client:
        with pytest.raises(kind):
            await client.system.info()


async def test_an_answer_of_another_shape_is_a_protocol_error() -> None:
    async with answering(200, {"hello": "world"}) as client:
        with pytest.raises(errors.ProtocolError):
            await client.system.info()


async def test_a_refused_connection_says_so() -> None:
    async with AsyncClient("http://127.0.0.1:1") as client:
        with pytest.raises(errors.Unreachable, match="Connection refused"):
            await client.system.info()


async def test_a_value_that_json_lacks_is_refused_here() -> None:
    async with answering(200, SUMMARY) as client:
        with pytest.raises(errors.InvalidRequest):
            await client.tasks.run(task="deploy", parameters={"ratio": float("nan")})


@pytest.mark.parametrize("pasted", ["http://s:1/", "http://s:1/rpc", " http://s:1/api/rpc/ ", "http://s:1"])
def test_addresses_are_taken_as_people_paste_them(pasted: str) -> None:
    with Client(pasted) as client:
        assert client.url == "http://s:1"


@pytest.mark.parametrize("wrong", ["", "s:1", "ftp://s", "http://"])
def test_what_is_no_address_is_refused(wrong: str) -> None:
    with pytest.raises(errors.InvalidRequest):
        Client(wrong)


async def test_a_log_is_read_with_its_end() -> None:
    seen: list[httpx.Request] = []
    headers = {"Plumber-Log-End": "300", "Plumber-Log-Complete": "true"}
    async with answering(200, b"\x01frames", seen=seen, **headers) as client:
        piece = await client.read_log("a/b", 20, 1000)
    assert (piece.data, piece.offset, piece.end, piece.complete) == (b"\x01frames", 20, 300, True)
    assert seen[0].url.raw_path == b"/logs/a%2Fb?offset=20&limit=1000&format=frames"


async def test_a_log_that_is_not_there_is_not_found() -> None:
    async with refusing(errors.NotFound(kind="attempt", name="a"), 404) as client:
        with pytest.raises(errors.NotFound):
            await client.read_log("a")


def test_the_sync_twin_calls_without_await() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=SUMMARY))
    with Client("http://server", transport=transport) as client:
        assert client.executions.cancel(execution="x-1").id == "x-1"


@pytest.mark.parametrize("operation", operations().values(), ids=lambda operation: operation.name)
def test_both_twins_have_every_operation_as_declared(operation: Any) -> None:
    for client in (AsyncClient("http://server"), Client("http://server")):
        method = getattr(getattr(client, operation.attribute), operation.method)
        declared = {name: p.default for name, p in operation.parameters.items()}
        assert {name: p.default for name, p in inspect.signature(method).parameters.items()} == declared
