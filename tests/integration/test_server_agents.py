"""Agents over a held WebSocket and by long poll: the same messages, the same answers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from plumber_core.protocol import codec
from plumber_core.protocol import messages as m
from plumber_core.protocol.peer import Disconnected, Refused, SessionOver
from support.fake_plumber import AGENT, PERSON, FakePlumber
from support.waiting import wait_until
from support.web_server import AGENT_HEADERS, serving

HELLO = m.Hello(incarnation=1, nonce="n", boot_id="b", epoch=1, version="1")
SPEC = m.StepSpec(execution="e", task="t", step="s", index=0, uses="shell", params={"run": "true"}, env={"A": "1"})
ASSIGNMENT = m.Assignment(attempt="at1", session="s1", beat=1, epoch=1, spec=SPEC)
REPORT = m.Report("s1", "at1", m.Outcome("succeeded", 0), tail=b"\x00\xff")


@pytest.fixture
async def plumber() -> AsyncIterator[Any]:
    plumber = FakePlumber()
    yield plumber
    plumber.stopped.set()


@pytest.fixture
async def server(plumber: Any) -> AsyncIterator[SimpleNamespace]:
    async with serving(plumber) as running:
        yield running


def dial(server: SimpleNamespace, token: str = AGENT) -> Any:
    address = server.url.replace("http", "ws") + "/agent/v1/ws"
    return connect(address, additional_headers={"Authorization": f"Bearer {token}"}, compression=None)


async def ask(socket: ClientConnection, method: str, message: Any, id: int = 1) -> Any:
    await send(socket, method, message, id)
    return json.loads(await socket.recv())


async def send(socket: ClientConnection, method: str, message: Any, id: int = 1) -> None:
    call = {"jsonrpc": "2.0", "id": id, "method": method, "params": codec.to_json(message)}
    await socket.send(json.dumps(call))


def chunk(attempt: str, offset: int, data: bytes, session: str = "s1") -> bytes:
    return codec.encode_chunk(m.LogChunk(session, attempt, offset, data))


CALLS = [
    ("hello", HELLO, m.Welcome("ok", 1, session="s1", agent="a1", name="web-1")),
    ("renew", m.Renew("s1", 2, 1, (m.Held("at1", "running", 5),)), m.Renewed(1, 1.0)),
    ("start", m.Start("s1", "at1", "b"), m.Permit("go")),
    ("report", REPORT, m.Reported("recorded", 7)),
    ("never_ran", m.NeverRan("s1", "at1", "b"), None),
]


async def test_every_call_arrives_whole_and_is_answered(plumber: Any, server: SimpleNamespace) -> None:
    async with dial(server) as socket:
        for id, (method, message, answer) in enumerate(CALLS):
            told = await ask(socket, method, message, id)
            assert (told["jsonrpc"], told["id"]) == ("2.0", id)
            kind = codec.REQUESTS[method][1]
            assert (codec.from_json(kind, told["result"]) if kind else told["result"]) == answer
    assert plumber.peers[0].calls == [message for _, message, _ in CALLS]


@pytest.mark.parametrize("token", ["garbage", PERSON, ""])
async def test_a_wrong_credential_is_refused_before_the_upgrade(server: SimpleNamespace, token: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with dial(server, token):
            pass
    assert refused.value.response.status_code == 401


async def test_a_fault_of_ours_is_no_refusal(plumber: Any, server: SimpleNamespace) -> None:
    """403 would tell the agent that its credential is over, and it would leave for good."""

    async def fail(token: str) -> Any:
        raise RuntimeError("anything")

    plumber.agent_peer = fail
    with pytest.raises(InvalidStatus) as refused:
        await dial(server)
    assert refused.value.response.status_code == 500


async def test_deliveries_come_as_notifications_after_the_hello(plumber: Any, server: SimpleNamespace) -> None:
    deliveries = [ASSIGNMENT, m.Ask(ASSIGNMENT), m.Cancel("at1", 3.0), m.LogEnd("at1", 9), m.Settled("at1")]
    async with dial(server) as socket:
        await ask(socket, "hello", HELLO)
        for delivery in deliveries:
            plumber.peers[0].push(delivery)
        told = [json.loads(await socket.recv()) for _ in deliveries]
    assert [item["method"] for item in told] == ["assign", "ask", "cancel", "log_end", "settled"]
    read = [codec.from_json(codec.NOTIFICATIONS[item["method"]], item["params"]) for item in told]
    assert read == deliveries
    assert all("id" not in item for item in told)


async def test_each_chunk_is_answered_once_and_in_order(plumber: Any, server: SimpleNamespace) -> None:
    async with dial(server) as socket:
        await ask(socket, "hello", HELLO)
        plumber.peers[0].gates["append"] = gate = asyncio.Event()
        for n in range(5):
            await socket.send(chunk("at1", n * 10, b"x" * 10))
            await socket.send(chunk("at2", n * 10, b"y" * 10))
        # The first of each attempt is under way, the others keep their order behind it.
        await wait_until(lambda: len(plumber.peers[0].calls) == 3)
        gate.set()
        told = [json.loads(await socket.recv()) for _ in range(10)]
    for attempt in ("at1", "at2"):
        ends = [item["params"]["end"] for item in told if item["params"]["attempt"] == attempt]
        assert ends == [10, 20, 30, 40, 50]


async def test_a_report_waits_for_the_chunks_sent_before_it_and_a_renewal_does_not(
    plumber: Any, server: SimpleNamespace
) -> None:
    async with dial(server) as socket:
        await ask(socket, "hello", HELLO)
        plumber.peers[0].gates["append"] = gate = asyncio.Event()
        await socket.send(chunk("at1", 0, b"x"))
        await send(socket, "report", REPORT, 2)
        assert (await ask(socket, "renew", m.Renew("s1", 2, 1), 3))["id"] == 3
        assert not any(isinstance(call, m.Report) for call in plumber.peers[0].calls)
        gate.set()
        assert json.loads(await socket.recv())["method"] == "log_end"
        assert json.loads(await socket.recv())["id"] == 2


@pytest.mark.parametrize(
    ("text", "code"),
    [("nonsense", -32700), ("[1]", -32600), ('{"id": 4, "method": "drop"}', -32601),
     ('{"id": 4, "method": "report", "params": {"session": 5}}', -32602), ("[" * 50_000, -32700)],
)  # fmt: skip
async def test_a_malformed_call_is_an_error_and_not_the_end(server: SimpleNamespace, text: str, code: int) -> None:
    async with dial(server) as socket:
        await socket.send(text)
        assert json.loads(await socket.recv())["error"]["code"] == code
        assert "result" in await ask(socket, "hello", HELLO)


async def test_the_end_of_a_session_is_its_own_error(server: SimpleNamespace) -> None:
    async with dial(server) as socket:
        told = await ask(socket, "renew", m.Renew("old", 1, 1))
        assert told["error"]["code"] == codec.SESSION_OVER
        assert "result" in await ask(socket, "hello", HELLO)


@pytest.mark.parametrize(("error", "code", "close"), [(Refused(), codec.REFUSED, 4003), (Disconnected(), -32015, 1013)])
async def test_what_ends_the_connection_is_told_first(
    plumber: Any, server: SimpleNamespace, error: Exception, code: int, close: int
) -> None:
    async with dial(server) as socket:
        await ask(socket, "hello", HELLO)
        plumber.peers[0].replies["report"] = error
        assert (await ask(socket, "report", REPORT))["error"]["code"] == code
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == close
    await wait_until(lambda: plumber.peers[0].closed)


@pytest.mark.parametrize(("reply", "close"), [(SessionOver(), 4001), (RuntimeError("x"), 1011)])
async def test_a_chunk_that_cannot_be_answered_closes_the_connection(
    plumber: Any, server: SimpleNamespace, reply: Exception, close: int
) -> None:
    async with dial(server) as socket:
        await ask(socket, "hello", HELLO)
        plumber.peers[0].replies["append"] = reply
        await socket.send(chunk("at1", 0, b"x"))
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == close


async def test_what_commands_print_cannot_break_their_outcome(plumber: Any, server: SimpleNamespace) -> None:
    async with dial(server) as socket:
        await ask(socket, "hello", HELLO)
        outcome = m.Outcome("failed", 1, detail="a\0b", outputs={"k\0": "\0"})
        await ask(socket, "report", m.Report("s1", "at1", outcome))
    stored = plumber.peers[0].calls[1].outcome
    assert (stored.detail, stored.outputs) == ("a\ufffdb", {"k\ufffd": "\ufffd"})


async def test_a_lost_connection_closes_the_peer(plumber: Any, server: SimpleNamespace) -> None:
    async with dial(server) as socket:
        await ask(socket, "hello", HELLO)
        socket.transport.abort()
        await wait_until(lambda: plumber.peers[0].closed)


async def test_a_plain_request_to_the_socket_s_address_is_refused(plumber: Any, server: SimpleNamespace) -> None:
    async with httpx.AsyncClient(base_url=server.url, headers=AGENT_HEADERS) as client:
        assert (await client.get("/agent/v1/ws")).status_code == 405
    assert plumber.peers[0].closed


async def test_a_stopping_server_says_goodbye_and_goes(plumber: Any, server: SimpleNamespace) -> None:
    async with dial(server) as socket:
        await ask(socket, "hello", HELLO)
        server.stop.set()
        assert json.loads(await socket.recv())["method"] == "goodbye"
        with pytest.raises(ConnectionClosed):
            await socket.recv()
    async with asyncio.timeout(5):
        await server.running


# The same by long poll.


class Poller:
    def __init__(self, server: SimpleNamespace) -> None:
        self.client = httpx.AsyncClient(base_url=server.url + "/agent/v1", headers=AGENT_HEADERS, timeout=30)

    async def call(self, *calls: tuple[str, Any]) -> Any:
        items = [
            {"jsonrpc": "2.0", "id": id, "method": method, "params": codec.to_json(message)}
            for id, (method, message) in enumerate(calls)
        ]
        return (await self.client.post("/rpc", json=items if len(items) > 1 else items[0])).json()

    async def poll(self, wait: float = 20, session: str = "s1") -> Any:
        return await self.client.post("/poll", json={"session": session, "wait": wait})


@pytest.fixture
async def poller(server: SimpleNamespace) -> AsyncIterator[Poller]:
    found = Poller(server)
    yield found
    await found.client.aclose()


async def test_calls_by_long_poll_singly_and_in_batches(plumber: Any, poller: Poller) -> None:
    assert (await poller.call(("hello", HELLO)))["result"]["session"] == "s1"
    told = await poller.call(*[(method, message) for method, message, _ in CALLS[1:]])
    assert [item["id"] for item in told] == [0, 1, 2, 3]
    for (method, _, answer), item in zip(CALLS[1:], told, strict=True):
        kind = codec.REQUESTS[method][1]
        assert (codec.from_json(kind, item["result"]) if kind else item["result"]) == answer
    assert len(plumber.peers) == 1


async def test_a_poll_is_answered_by_the_first_delivery(plumber: Any, poller: Poller) -> None:
    await poller.call(("hello", HELLO))
    waiting = asyncio.create_task(poller.poll())
    plumber.peers[0].push(ASSIGNMENT)
    async with asyncio.timeout(5):
        told = (await waiting).json()["deliveries"]
    assert [codec.from_json(codec.NOTIFICATIONS[item["kind"]], item) for item in told] == [ASSIGNMENT]
    assert (await poller.poll(wait=0)).json() == {"deliveries": []}


async def test_a_client_that_hung_up_takes_nothing_with_it(plumber: Any, poller: Poller, server: Any) -> None:
    await poller.call(("hello", HELLO))
    with pytest.raises(httpx.ReadTimeout):
        await poller.client.post("/poll", json={"session": "s1", "wait": 20}, timeout=0.2)
    await wait_until(lambda: not server.server.server_state.tasks)
    plumber.peers[0].push(ASSIGNMENT)
    assert len((await poller.poll()).json()["deliveries"]) == 1


async def test_log_chunks_by_long_poll(plumber: Any, poller: Poller) -> None:
    await poller.call(("hello", HELLO))
    answer = await poller.client.post("/logs", content=chunk("at1", 10, b"x" * 5))
    assert answer.json() == {"attempt": "at1", "end": 15}
    assert (await poller.client.post("/logs", content=b"\x05ab")).status_code == 400


async def test_a_session_that_this_process_does_not_know_is_over(poller: Poller) -> None:
    assert (await poller.call(("renew", m.Renew("s1", 1, 1))))["error"]["code"] == codec.SESSION_OVER
    answer = await poller.poll()
    assert (answer.status_code, answer.json()["code"]) == (409, "session_over")


async def test_a_revoked_agent_is_refused_and_forgotten(plumber: Any, poller: Poller) -> None:
    await poller.call(("hello", HELLO))
    plumber.peers[0].replies["report"] = Refused()
    plumber.revoked.add(AGENT)
    assert (await poller.call(("report", REPORT)))["error"]["code"] == codec.REFUSED
    assert (await poller.poll()).status_code == 401
    await wait_until(lambda: plumber.peers[0].closed)


async def test_a_polling_agent_that_stays_away_is_closed(
    plumber: Any, poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumber_server.polling.IDLE", 0.05)
    await poller.call(("hello", HELLO))
    await wait_until(lambda: plumber.peers[0].closed)


async def test_a_poll_ends_when_the_server_stops(plumber: Any, poller: Poller, server: SimpleNamespace) -> None:
    await poller.call(("hello", HELLO))
    waiting = asyncio.create_task(poller.poll())
    await wait_until(lambda: server.server.server_state.tasks)
    server.stop.set()
    async with asyncio.timeout(5):
        told = (await waiting).json()["deliveries"]
    assert [item["kind"] for item in told] == ["goodbye"]
    async with asyncio.timeout(5):
        await server.running
