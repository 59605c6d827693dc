"""The long-poll peer: the same messages, answers and errors over plain requests."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from plumber_agent.address import ServerAddress
from plumber_agent.poll_peer import PollPeer
from plumber_core.errors import InvalidRequest
from plumber_core.protocol import codec
from plumber_core.protocol.messages import Assignment, Cancel, Hello, LogChunk, LogEnd, Renew, Renewed, Welcome
from plumber_core.protocol.peer import Disconnected, PeerError, Refused, SessionOver
from support.scripted_server import step

HELLO = Hello(1, "n", "b", None, "0")


def answer_calls(request: httpx.Request) -> dict[str, Any]:
    """Answer hello and renew."""
    call = json.loads(request.content)
    result = {"hello": Welcome("ok", 1, "session-1"), "renew": Renewed(1, 1.0)}[call["method"]]
    return {"jsonrpc": "2.0", "id": call["id"], "result": codec.to_json(result)}


def polling(answer: Callable[[httpx.Request], Any], **options: Any) -> tuple[PollPeer, list[httpx.Request]]:
    """Return a peer whose requests ``answer`` answers, and the requests."""
    seen: list[httpx.Request] = []

    def handle(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        found = answer(request)
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)

    address = ServerAddress.parse("http://127.0.0.1:9")
    return PollPeer(address, "secret", transport=httpx.MockTransport(handle), **options), seen


async def test_calls_carry_credential_and_session() -> None:
    peer, seen = polling(answer_calls)
    assert (await peer.hello(HELLO)).session == "session-1"
    assert await peer.renew(Renew("session-1", 1, 1)) == Renewed(1, 1.0)
    assert [request.url.path for request in seen] == ["/agent/v1/rpc"] * 2
    assert {request.headers["Authorization"] for request in seen} == {"Bearer secret"}
    assert "Plumber-Session" not in seen[0].headers
    assert seen[1].headers["Plumber-Session"] == "session-1"
    await peer.close()


async def test_deliveries_are_polled_after_the_greeting() -> None:
    waiting: list[Any] = [Assignment("a", "session-1", 1, 1, step()), Cancel("a")]

    def answer(request: httpx.Request) -> Any:
        if request.url.path != "/agent/v1/poll":
            return answer_calls(request)
        body = json.loads(request.content)
        assert (body["session"], body["wait"]) == ("session-1", 25)
        taken = [codec.to_json(delivery) for delivery in waiting]
        return {"deliveries": [*taken, {"kind": "from_the_future"}, {"kind": "cancel"}, 7]}

    peer, _ = polling(answer)
    await peer.hello(HELLO)
    deliveries = peer.deliveries()
    assert [await anext(deliveries), await anext(deliveries)] == waiting
    await peer.close()


async def test_a_lifetime_ends_the_deliveries() -> None:
    peer, seen = polling(answer_calls, lifetime=0.0)
    await peer.hello(HELLO)
    assert [delivery async for delivery in peer.deliveries()] == []
    assert len(seen) == 1
    await peer.close()


async def test_chunks_are_bodies() -> None:
    chunk = LogChunk("session-1", "a", 5, b"\x00\xffdata")

    def answer(request: httpx.Request) -> Any:
        assert request.url.path == "/agent/v1/logs"
        assert codec.decode_chunk(request.content) == chunk
        return {"attempt": "a", "end": 11}

    peer, _ = polling(answer)
    assert await peer.append(chunk) == LogEnd("a", 11)
    await peer.close()


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        (httpx.Response(401, json={"code": "unauthenticated"}), Refused),
        (httpx.Response(403), Refused),
        (httpx.Response(503, json={"code": "unavailable"}), Disconnected),
        (httpx.Response(429), Disconnected),
        (httpx.Response(200, text="<html>a proxy's page</html>"), Disconnected),
        (httpx.Response(404, json={"not": "ours"}), Disconnected),
        (httpx.Response(409, json={"code": "session_over", "detail": "over"}), SessionOver),
        (httpx.Response(400, json={"code": "invalid_request", "arguments": {"field": "x"}}), InvalidRequest),
        (httpx.Response(200, json={"id": 1, "error": {"code": codec.SESSION_OVER, "message": "o"}}), SessionOver),
    ],
)
async def test_errors_are_what_the_engine_raises(response: httpx.Response, expected: type[Exception]) -> None:
    peer, _ = polling(lambda _: response)
    with pytest.raises(expected):
        await peer.renew(Renew("s", 1, 1))
    await peer.close()


async def test_unreachable_server_is_disconnected() -> None:
    def fail(_: httpx.Request) -> Any:
        raise httpx.ConnectError("refused")

    peer, _ = polling(fail)
    with pytest.raises(Disconnected, match="cannot reach"):
        await peer.renew(Renew("s", 1, 1))
    await peer.close()


async def test_session_over_while_polling_waits_for_the_next_greeting() -> None:
    over = [True]

    def answer(request: httpx.Request) -> Any:
        if request.url.path != "/agent/v1/poll":
            return answer_calls(request)
        if over:
            over.pop()
            return httpx.Response(409, json={"code": "session_over"})
        return {"deliveries": [codec.to_json(Cancel("a"))]}

    peer, _ = polling(answer)
    await peer.hello(HELLO)
    first = peer.deliveries()
    assert await peer._poll() == []
    assert not peer._greeted.is_set()
    await peer.hello(HELLO)
    assert await anext(first) == Cancel("a")
    await peer.close()


def test_every_error_is_one_that_the_loop_knows() -> None:
    assert issubclass(Refused, PeerError)
    assert issubclass(SessionOver, PeerError)
