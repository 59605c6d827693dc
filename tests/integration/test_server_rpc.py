"""``/rpc``: operations, notifications, the document, and the original's methods."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from plumber_core.control.plane import operations
from plumber_core.model.limits import MAX_REQUEST_BODY
from plumber_core.model.states import ExecutionState, Presence, StepState
from plumber_core.model.views import (
    AgentConfig,
    AgentCreated,
    AgentView,
    AttemptView,
    Done,
    ExecutionDetail,
    ExecutionSummary,
    LoginResult,
    Page,
    RevisionInfo,
    StepExecutionView,
    TaskDetail,
    TaskSummary,
)
from plumber_core.protocol.frames import STDERR, STDOUT, SYSTEM, encode_frame
from plumber_server.app import create_app
from plumber_server.original_people import status_of
from support.fake_plumber import AGENT, ALICE, FakePlumber
from support.web_server import PERSON_HEADERS, asgi_client

NOW = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def plumber() -> Any:
    return FakePlumber()


async def rpc(plumber: Any, method: str, params: Any = None, *, path: str = "/rpc", **headers: str) -> Any:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params or {}})
    async with asgi_client(create_app(plumber), headers or PERSON_HEADERS) as client:
        return (await client.post(path, content=body)).json()


@pytest.mark.parametrize("path", ["/rpc", "/api/rpc"])
async def test_operations_are_methods(plumber: Any, path: str) -> None:
    assert (await rpc(plumber, "session.whoami", path=path))["result"] == ALICE.model_dump()


async def test_parameters_by_position(plumber: Any) -> None:
    plumber.answers["task.delete"] = Done()
    await rpc(plumber, "task.delete", ["nightly"])
    assert plumber.calls == [("task.delete", {"task": "nightly"})]


async def test_invalid_parameters_name_the_field(plumber: Any) -> None:
    error = (await rpc(plumber, "task.run", {"task": 5}))["error"]
    assert error["code"] == -32602
    assert error["data"]["arguments"]["field"] == "task"


async def test_a_notification_of_a_write_is_not_executed_and_one_of_a_read_is(plumber: Any) -> None:
    plumber.answers["task.delete"] = Done()
    batch = [
        {"jsonrpc": "2.0", "method": "task.delete", "params": {"task": "x"}},
        {"jsonrpc": "2.0", "method": "session.whoami"},
    ]
    async with asgi_client(create_app(plumber), PERSON_HEADERS) as client:
        answer = await client.post("/rpc", content=json.dumps(batch))
    assert (answer.status_code, answer.content) == (204, b"")
    assert [name for name, _ in plumber.calls] == ["session.whoami"]


async def test_a_batch_authenticates_once_and_answers_in_order(plumber: Any) -> None:
    batch = [{"jsonrpc": "2.0", "id": n, "method": "session.whoami"} for n in range(50)]
    async with asgi_client(create_app(plumber), PERSON_HEADERS) as client:
        answer = await client.post("/rpc", content=json.dumps(batch))
    assert [item["id"] for item in answer.json()] == list(range(50))
    assert len(plumber.addresses) == 1


async def test_discover_describes_the_operations_and_not_the_originals_methods(plumber: Any) -> None:
    document = (await rpc(plumber, "rpc.discover"))["result"]
    assert {method["name"] for method in document["methods"]} == set(operations())
    run = next(method for method in document["methods"] if method["name"] == "task.run")
    assert [p["name"] for p in run["params"] if p["required"]] == ["task"]


async def test_only_a_known_agent_may_send_a_large_report(plumber: Any) -> None:
    output = "x" * (MAX_REQUEST_BODY + 1)
    report = {"step_id": "s", "status": "success", "exit_code": 0, "output": output}
    assert (await rpc(plumber, "plumber.step.report", report, **{"X-Agent-Token": "no"}))["code"] == "too_large"
    answer = await rpc(plumber, "plumber.step.report", report, **{"X-Agent-Token": AGENT})
    assert answer["result"] == {"status": "updated"}
    assert plumber.original.calls == [("report", "s", "success", 0, output)]


# The original's methods.

AGENT_VIEW = AgentView(
    id="a1", name="web-1", state="active", presence=Presence.LATE, created_at=NOW, facts={"hostname": "h", "ip": "i"}
)  # type: ignore[arg-type]
SUMMARY = ExecutionSummary(
    id="e1", task="t", task_id="t1", revision=1, state=ExecutionState.QUEUED, requested_by="alice", created_at=NOW
)


async def test_login(plumber: Any) -> None:
    plumber.answers["session.login"] = LoginResult(token="plm_x", expires_at=NOW, user=ALICE)
    answer = await rpc(plumber, "plumber.user.login", {"username": "alice", "password": "p"}, X="none")
    assert answer["result"] == {"token": "plm_x", "username": "alice", "user_id": "u1"}


async def test_create_agent_and_get_config(plumber: Any) -> None:
    config = AgentConfig(id="a1", token="plm_a", server_addr="")
    plumber.answers |= {"agent.create": AgentCreated(agent=AGENT_VIEW, config=config), "agent.rotate": config}
    created = (await rpc(plumber, "plumber.agent.create", {"name": "web-1"}))["result"]
    issued = (await rpc(plumber, "plumber.agent.getConfig", {"agent_id": "a1"}))["result"]
    assert (created["agent_id"], created["name"], created["status"]) == ("a1", "web-1", "offline")
    for text in (created["config"], issued["config"]):
        assert json.loads(text) == {"id": "a1", "token": "plm_a", "server_addr": "http://plumber.test"}
    assert issued["filename"] == "agent.json"


async def test_list_agents_walks_all_pages(plumber: Any) -> None:
    pages = {None: Page[AgentView](items=[AGENT_VIEW], next="2"), "2": Page[AgentView](items=[AGENT_VIEW])}
    plumber.answers["agent.list"] = lambda values: pages[values["cursor"]]
    agents = (await rpc(plumber, "plumber.agent.list"))["result"]["agents"]
    wanted = {"id": "a1", "name": "web-1", "hostname": "h", "ip": "i", "status": "offline", "last_heartbeat": None}
    assert agents == [wanted, wanted]


async def test_update_and_delete_agent(plumber: Any) -> None:
    plumber.answers |= {"agent.update": AGENT_VIEW, "agent.delete": Done()}
    updated = await rpc(plumber, "plumber.agent.update", {"agent_id": "a1", "name": "n"})
    deleted = await rpc(plumber, "plumber.agent.delete", {"agent_id": "a1"})
    assert (updated["result"]["status"], deleted["result"]["status"]) == ("updated", "deleted")


def _task(source: str) -> TaskDetail:
    revision = RevisionInfo(number=3, author="alice", created_at=NOW, digest="d")
    return TaskDetail(
        id="t1", name="deploy", description="old", revision=revision, format="toml", source=source, definition={}
    )


ORIGINAL_TOML = '[[step]]\nServerID = "a1"\nPath = "/tmp"\nCMD = "echo hi"\n'


async def test_create_task_puts_the_name_into_the_file(plumber: Any) -> None:
    plumber.answers["task.apply"] = _task("")
    params = {"name": 'de"ploy', "description": "好", "config": 'name = "other"\n' + ORIGINAL_TOML}
    answer = await rpc(plumber, "plumber.task.create", params)
    assert answer["result"] == {"task_id": "t1", "status": "created"}
    (_, values) = plumber.calls[0]
    assert values["source"] == 'name = "de\\"ploy"\ndescription = "好"\n' + ORIGINAL_TOML.rstrip("\n")
    assert (values["format"], values["expected_revision"]) == ("toml", 0)


async def test_update_task_keeps_what_is_not_given(plumber: Any) -> None:
    plumber.answers |= {"task.show": _task(ORIGINAL_TOML), "task.apply": _task("")}
    await rpc(plumber, "plumber.task.update", {"task_id": "t1", "description": "new"})
    (_, values) = plumber.calls[1]
    assert values["source"].startswith('name = "deploy"\ndescription = "new"\n[[step]]')
    assert values["expected_revision"] == 3


async def test_a_file_that_is_no_toml_is_refused(plumber: Any) -> None:
    params = {"name": "x", "config": "[[step"}
    error = (await rpc(plumber, "plumber.task.create", params))["error"]
    assert error["data"]["arguments"]["field"] == "config"


async def test_list_and_run_tasks(plumber: Any) -> None:
    task = TaskSummary(
        id="t1", name="n", description="d", revision=1, updated_at=NOW, last_state=ExecutionState.SUCCEEDED
    )
    plumber.answers |= {"task.list": Page[TaskSummary](items=[task]), "task.run": SUMMARY}
    listed = (await rpc(plumber, "plumber.task.list"))["result"]["tasks"]
    assert listed == [{"id": "t1", "name": "n", "description": "d", "status": "success"}]
    run = (await rpc(plumber, "plumber.task.run", {"task_id": "t1"}))["result"]
    assert (run["execution_id"], run["status"]) == ("e1", "pending")


async def test_get_execution_has_both_streams_complete(plumber: Any) -> None:
    attempt = AttemptView(id="at1", number=1, state="failed", started_at=NOW, exit_code=3)
    step = StepExecutionView(
        id="s1", index=0, step="build", host="a1", host_name="web-1", round=0, state=StepState.FAILED,
        uses="shell", command="make", path="/opt", attempts=[attempt],
    )  # fmt: skip
    plumber.answers |= {
        "execution.show": ExecutionDetail(**SUMMARY.model_dump(), steps=[step]),
        "execution.list": Page[ExecutionSummary](items=[SUMMARY]),
    }
    half, rest = "好".encode()[:1], "好".encode()[1:]
    frames = [(STDOUT, half), (STDOUT, rest), (SYSTEM, b"note"), (STDERR, b"\xff!"), (STDOUT, b"x" * 200_000)]
    plumber.logs["at1"] = b"".join(encode_frame(stream, 0, data) for stream, data in frames * 3)
    found = (await rpc(plumber, "plumber.execution.get", {"execution_id": "e1"}))["result"]["execution"]
    assert found["steps"] == [
        {
            "id": "s1", "step_index": 0, "agent_id": "a1", "path": "/opt", "command": "make", "status": "failed",
            "exit_code": 3, "output": ("好\ufffd!" + "x" * 200_000) * 3,
        }
    ]  # fmt: skip
    listed = (await rpc(plumber, "plumber.execution.list", {"task_id": "t1"}))["result"]["executions"]
    assert listed[0] == {key: found[key] for key in ("id", "task_id", "status", "start_time", "end_time")}


async def test_the_four_methods_of_agents(plumber: Any) -> None:
    async def call(method: str, **params: Any) -> Any:
        return (await rpc(plumber, method, params, path="/api/rpc", **{"X-Agent-Token": AGENT}))["result"]

    assert (await call("plumber.agent.register", agent_id="a1", hostname="h", ip="i"))["status"] == "ok"
    assert await call("plumber.agent.heartbeat", agent_id="a1") == {"status": "ok"}
    assert await call("plumber.agent.pollTask", agent_id="a1") == {"has_task": False}
    plumber.original.task = {"step_id": "at1", "path": "/tmp", "command": "ls"}
    polled = await call("plumber.agent.pollTask", agent_id="a1")
    assert polled == {"has_task": True, "task": {"step_id": "at1", "path": "/tmp", "command": "ls"}}
    ended = await call("plumber.step.report", step_id="at1", status="failed", exit_code=2, output="no")
    assert ended == {"status": "updated"}
    assert plumber.original.calls[-1] == ("report", "at1", "failed", 2, "no")


@pytest.mark.parametrize("state", [*StepState, *ExecutionState])
def test_every_state_has_a_word_of_the_original(state: Any) -> None:
    words = {
        "pending": {"blocked", "ready", "retry_wait", "queued", "paused", "skipped"},
        "running": {"claimed", "running", "cancelling", "unreachable"},
        "success": {"succeeded"},
    }
    wanted = next((word for word, states in words.items() if state.value in states), "failed")
    assert status_of(state) == wanted
