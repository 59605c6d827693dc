"""The HTTP side over the real engine on SQLite: one task from the first login to the last byte of its log."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from plumber_core.app import Plumber
from plumber_core.protocol import codec
from plumber_core.protocol import messages as m
from plumber_core.protocol.frames import STDERR, STDOUT, encode_frame
from support.waiting import wait_until
from support.web_server import serving

PASSWORD = "correct horse battery"
TASK = "name: hello\nsteps:\n  - {name: one, on: web-1, run: echo hi}\n"
LOG = encode_frame(STDOUT, 1, b"hi\n") + encode_frame(STDERR, 2, b"\xffoops\n")


class Api:
    """A person's view of the server."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.AsyncClient(base_url=url, timeout=20)

    async def call(self, operation: str, **arguments: Any) -> Any:
        answer = await self.http.post(f"/api/{operation}", json=arguments)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def original(self, method: str, token: str | None = None, **params: Any) -> Any:
        headers = {"X-Agent-Token": token} if token else {}
        body = {"jsonrpc": "2.0", "id": 1, "method": f"plumber.{method}", "params": params}
        answer = (await self.http.post("/api/rpc", json=body, headers=headers)).json()
        assert "result" in answer, answer
        return answer["result"]


@pytest.fixture
async def api(tmp_path: Any) -> AsyncIterator[Api]:
    url = f"sqlite:///{tmp_path}/p.db"
    async with (
        Plumber(url, local_agent=False, admin_password=PASSWORD, public_url="{server}") as plumber,
        serving(plumber) as server,
    ):
        api = Api(server.url)
        token = (await api.call("session.login", username="admin", password=PASSWORD))["token"]
        api.http.headers["Authorization"] = f"Bearer {token}"
        yield api
        await api.http.aclose()


class SocketAgent:
    """A plain agent over the held WebSocket."""

    def __init__(self, socket: Any) -> None:
        self.socket = socket
        self.notified: asyncio.Queue[Any] = asyncio.Queue()
        self.answers: dict[int, asyncio.Future[Any]] = {}
        self.session = ""
        self.reader = asyncio.create_task(self._read())

    async def _read(self) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in self.socket:
                message = json.loads(text)
                if "method" in message:
                    await self.notified.put((message["method"], message["params"]))
                else:
                    self.answers.pop(message["id"]).set_result(message)

    async def ask(self, method: str, message: Any) -> Any:
        id = len(self.answers) + 1
        self.answers[id] = asyncio.get_running_loop().create_future()
        waiting = self.answers[id]
        call = {"jsonrpc": "2.0", "id": id, "method": method, "params": codec.to_json(message)}
        await self.socket.send(json.dumps(call))
        async with asyncio.timeout(10):
            answer = await waiting
        return codec.from_json(codec.REQUESTS[method][1], answer["result"])

    async def open(self) -> None:
        welcome = await self.ask("hello", m.Hello(1, "nonce", "boot", None, "1"))
        if welcome.status == "epoch":
            welcome = await self.ask("hello", m.Hello(1, "nonce", "boot", welcome.epoch, "1"))
        assert welcome.status == "ok"
        self.session, self.epoch = welcome.session, welcome.epoch
        await self.ask("renew", m.Renew(self.session, 1, self.epoch))

    async def next(self, method: str) -> Any:
        while True:
            async with asyncio.timeout(10):
                name, params = await self.notified.get()
            if name == method:
                return codec.from_json(codec.NOTIFICATIONS[name], params)


async def test_a_task_over_the_held_socket(api: Api) -> None:
    config = (await api.call("agent.create", name="web-1"))["config"]
    assert config["server_addr"] == api.url
    await api.call("task.apply", source=TASK)
    headers = {"Authorization": f"Bearer {config['token']}"}
    async with connect(api.url.replace("http", "ws") + "/agent/v1/ws", additional_headers=headers) as socket:
        agent = SocketAgent(socket)
        await agent.open()
        begun = await api.call("task.run", task="hello")
        assignment = await agent.next("assign")
        assert assignment.spec.params["run"].strip() == "echo hi"
        await socket.send(codec.encode_chunk(m.LogChunk(agent.session, assignment.attempt, 0, LOG)))
        assert (await agent.next("log_end")).end == len(LOG)
        outcome = m.Outcome("succeeded", 0, log_end=len(LOG))
        reported = await agent.ask("report", m.Report(agent.session, assignment.attempt, outcome, agent.epoch))
        assert reported.status == "recorded"
    shown = await api.call("execution.show", execution=begun["id"])
    assert shown["state"] == "succeeded"
    attempt = shown["steps"][0]["attempts"][-1]["id"]
    raw = await api.http.get(f"/logs/{attempt}?format=raw&stream=stderr")
    assert raw.content == b"\xffoops\n"
    found = (await api.original("execution.get", execution_id=begun["id"]))["execution"]
    assert (found["status"], found["steps"][0]["output"]) == ("success", "hi\n\ufffdoops\n")


async def test_what_happened_after_a_view_is_followed_from_its_cursor(api: Api) -> None:
    await api.call("agent.create", name="web-1")
    await api.call("task.apply", source=TASK)
    begun = await api.call("task.run", task="hello")
    cursor = (await api.call("execution.show", execution=begun["id"]))["event"]
    await api.call("execution.cancel", execution=begun["id"])
    seen = ""
    async with api.http.stream("GET", f"/events?execution={begun['id']}&after={cursor}") as answer:
        async for chunk in answer.aiter_text():
            seen += chunk
            if "event: execution.cancelled" in seen:
                break
    assert "event: execution.cancel_requested" in seen


async def greeting(chunks: AsyncIterator[str]) -> tuple[str, str]:
    """Return the cursor of the first message of an event stream, and what came along with it."""
    seen = ""
    async with asyncio.timeout(10):
        while "\n\n" not in seen:
            seen += await anext(chunks)
    first, _, rest = seen.partition("\n\n")
    assert "event: hello\n" in first
    return str(json.loads(first.partition("data: ")[2])["cursor"]), rest


@pytest.mark.parametrize("filtered", [False, True])
async def test_a_silent_stream_says_where_it_stands_and_loses_nothing_after_it(api: Api, filtered: bool) -> None:
    await api.call("agent.create", name="web-1")
    await api.call("task.apply", source=TASK)
    begun = await api.call("task.run", task="hello")
    query = f"?execution={begun['id']}" if filtered else ""
    async with api.http.stream("GET", f"/events{query}") as answer:
        chunks = answer.aiter_text()
        cursor, seen = await greeting(chunks)
        await api.call("execution.cancel", execution=begun["id"])
        async with asyncio.timeout(10):
            while "event: execution.cancelled" not in seen:
                seen += await anext(chunks)
    assert "event: execution.cancel_requested" in seen
    async with api.http.stream("GET", f"/events{query}", headers={"Last-Event-ID": cursor}) as answer:
        chunks = answer.aiter_text()
        begins, again = await greeting(chunks)
        assert begins == cursor
        async with asyncio.timeout(10):
            while len(again) < len(seen):
                again += await anext(chunks)
    assert again.startswith(seen)


async def test_a_bad_cursor_is_refused_before_the_stream_begins(api: Api) -> None:
    assert (await api.http.get("/events?after=yesterday")).status_code == 400


async def test_the_originals_agent_and_its_people(api: Api) -> None:
    login = await api.original("user.login", username="admin", password=PASSWORD)
    api.http.headers["Authorization"] = f"Bearer {login['token']}"
    created = await api.original("agent.create", name="old-1")
    config = json.loads(created["config"])
    agent_id, token = config["id"], config["token"]
    source = f'[[step]]\nServerID = "{agent_id}"\nPath = "/tmp"\nCMD = "echo hi"\n'
    task = await api.original("task.create", name="old", description="d", config=source)
    assert await api.original("agent.register", token, agent_id=agent_id, hostname="h", ip="10.0.0.1")
    run = await api.original("task.run", task_id=task["task_id"])

    async def polled() -> Any:
        answer = await api.original("agent.pollTask", token, agent_id=agent_id)
        return answer["task"] if answer["has_task"] else None

    step = await wait_until(polled)
    assert (step["path"], "echo hi" in step["command"]) == ("/tmp", True)
    report = {"step_id": step["step_id"], "status": "failed", "exit_code": 3, "output": "好\n"}
    assert await api.original("step.report", token, **report) == {"status": "updated"}
    found = (await api.original("execution.get", execution_id=run["execution_id"]))["execution"]
    assert (found["status"], found["steps"][0]["exit_code"], found["steps"][0]["output"]) == ("failed", 3, "好\n")
    assert (await api.original("agent.heartbeat", token, agent_id=agent_id)) == {"status": "ok"}
    (listed,) = (await api.original("agent.list"))["agents"]
    assert (listed["status"], listed["hostname"], listed["ip"]) == ("online", "h", "10.0.0.1")
    updated = await api.original("task.update", task_id=task["task_id"], description="new")
    assert updated["status"] == "updated"
    assert (await api.original("task.list"))["tasks"][0]["description"] == "new"
