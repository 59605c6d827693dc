"""The original's agents and page work on unchanged: their methods, their words, their shapes, at both addresses."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest

from support.original import OldAgent, Person
from support.programs import HTTP, RunningAgent, RunningServer

STEP_KEYS = {"id", "step_index", "agent_id", "path", "command", "status", "exit_code", "output"}


class Site:
    """A person and two agents of the original on one server."""

    def __init__(self, server: RunningServer, address: str, names: str) -> None:
        self.url = server.url + address
        self.person = Person(self.url)
        self.created = [self.person.call("agent.create", name=f"{names}-{letter}") for letter in "ab"]
        self.agents = [OldAgent(self.url, created["config"]) for created in self.created]
        for number, agent in enumerate(self.agents):
            answer = agent.register(f"host-{number}")
            assert set(answer) == {"status", "message"}
            assert agent.heartbeat() == {"status": "ok"}

    def start(self, name: str, *steps: tuple[str, str, str]) -> tuple[str, str]:
        """Create a task of (agent id, path, command) and run it; return its id and the execution's."""
        config = "".join(
            f"[[step]]\nServerID = '{on}'\nPath = '{path}'\nCMD = '''{cmd}'''\n" for on, path, cmd in steps
        )
        task = self.person.call("task.create", name=name, description="about", config=config)
        assert set(task) == {"task_id", "status"}
        begun = self.person.call("task.run", task_id=task["task_id"])
        assert set(begun) == {"execution_id", "status", "message"}
        return task["task_id"], begun["execution_id"]

    def execution(self, execution: str) -> dict[str, Any]:
        found: dict[str, Any] = self.person.call("execution.get", execution_id=execution)["execution"]
        return found

    def statuses(self, execution: str) -> list[str]:
        return [step["status"] for step in self.execution(execution)["steps"]]


@pytest.fixture(params=["/rpc", "/api/rpc"])
def site(request: pytest.FixtureRequest, shared_server: RunningServer) -> Site:
    return Site(shared_server, request.param, uuid.uuid4().hex)


def test_a_person_sees_the_shapes_of_the_original(site: Site) -> None:
    assert set(site.person.login) == {"token", "username", "user_id"}
    assert site.person.login["username"] == "admin"
    created = site.created[0]
    assert set(created) == {"agent_id", "name", "status", "config"}
    assert set(json.loads(created["config"])) == {"id", "token", "server_addr"}
    assert json.loads(created["config"])["id"] == created["agent_id"]
    listed = {agent["id"]: agent for agent in site.person.call("agent.list")["agents"]}
    mine = listed[created["agent_id"]]
    assert set(mine) == {"id", "name", "hostname", "ip", "status", "last_heartbeat"}
    assert (mine["hostname"], mine["ip"], mine["status"]) == ("host-0", "10.0.0.7", "online")


def test_each_agent_gets_one_step_at_a_time_and_only_when_those_before_it_ended_well(
    site: Site, tmp_path: Path
) -> None:
    one, two = site.agents
    steps = [
        (one.id, str(tmp_path), "pwd; echo wrong >&2"),
        (two.id, "", r"printf '\377after\n'"),
        (one.id, str(tmp_path), "exit 0"),
    ]
    task, execution = site.start(f"order {tmp_path.name}", *steps)
    assert two.poll() == {"has_task": False}
    assert site.statuses(execution)[1:] == ["pending", "pending"]
    first = one.next()
    assert set(first) == {"step_id", "path", "command"}
    assert first["path"] == str(tmp_path)
    assert (one.poll(), two.poll()) == ({"has_task": False}, {"has_task": False})
    assert site.statuses(execution) == ["running", "pending", "pending"]
    one.carry_out(first)
    two.carry_out(two.next())
    one.carry_out(one.next())
    found = site.execution(execution)
    assert set(found) == {"id", "task_id", "status", "start_time", "end_time", "steps"}
    assert (found["id"], found["task_id"], found["status"]) == (execution, task, "success")
    assert all(set(step) == STEP_KEYS for step in found["steps"])
    assert [step["step_index"] for step in found["steps"]] == [0, 1, 2]
    assert [step["agent_id"] for step in found["steps"]] == [one.id, two.id, one.id]
    assert [step["command"] for step in found["steps"]] == [command for *_, command in steps]
    assert [step["exit_code"] for step in found["steps"]] == [0, 0, 0]
    assert [step["output"] for step in found["steps"]] == [f"{tmp_path}\nwrong\n", "\ufffdafter\n", ""]


@pytest.mark.parametrize(
    ("output", "shown"),
    [
        ("\0\1\x7f\x1b[31m\r\n", "\0\1\x7f\x1b[31m\r\n"),
        ("half \udcff of a pair\n", "half ? of a pair\n"),
        ("好" * 2_000_000 + "\n", "好" * 2_000_000 + "\n"),
    ],
    ids=["control characters", "half a surrogate pair", "megabytes"],
)
def test_whatever_an_agent_says_that_its_command_printed_is_kept(
    site: Site, tmp_path: Path, output: str, shown: str
) -> None:
    agent = site.agents[0]
    _, execution = site.start(f"odd {tmp_path.name}", (agent.id, "", "any"))
    agent.report(agent.next(), 0, output)
    found = site.execution(execution)
    assert (found["status"], found["steps"][0]["output"]) == ("success", shown)


def test_a_failure_stops_what_follows(site: Site, tmp_path: Path) -> None:
    one, two = site.agents
    task, execution = site.start(f"stop {tmp_path.name}", (one.id, "", "echo no; exit 4"), (two.id, "", "echo never"))
    one.carry_out(one.next())
    assert two.poll() == {"has_task": False}
    found = site.execution(execution)
    assert (found["status"], site.statuses(execution)) == ("failed", ["failed", "pending"])
    assert (found["steps"][0]["exit_code"], found["steps"][0]["output"]) == (4, "no\n")
    again = site.person.call("task.run", task_id=task)["execution_id"]
    listed = site.person.call("execution.list", task_id=task)["executions"]
    assert [entry["id"] for entry in listed] == [again, execution]
    assert all(set(entry) == {"id", "task_id", "status", "start_time", "end_time"} for entry in listed)
    one.carry_out(one.next())


def test_a_new_token_replaces_the_old_one_when_it_is_first_used(site: Site) -> None:
    old = site.agents[0]
    answer = site.person.call("agent.getConfig", agent_id=old.id)
    assert set(answer) == {"config", "filename"}
    assert old.heartbeat() == {"status": "ok"}
    new = OldAgent(site.url, answer["config"])
    assert new.heartbeat() == {"status": "ok"}
    with pytest.raises(AssertionError, match="credential"):
        old.heartbeat()


def test_an_agents_token_serves_no_person_and_a_persons_no_agent(site: Site) -> None:
    token = json.loads(site.created[0]["config"])["token"]
    stranger = {"X-Agent-Token": site.person.login["token"]}
    for method, headers in (
        ("plumber.task.list", {"Authorization": f"Bearer {token}"}),
        ("plumber.agent.heartbeat", stranger),
        ("plumber.agent.heartbeat", {"X-Agent-Token": json.loads(site.created[1]["config"])["token"]}),
    ):
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"agent_id": site.agents[0].id}}
        answer = HTTP.post(site.url, json=request, headers=headers)
        assert answer.status_code == 401
        assert "error" in answer.json()


def test_the_output_of_todays_agents_is_complete_with_undecodable_bytes_replaced(
    site: Site, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    command = r"head -c 3000000 /dev/zero | tr '\0' x; printf '\377\n'; echo error >&2"
    _, execution = site.start(f"output {tmp_path.name}", (shared_agent.id, "", command))
    found = finished(site, execution)
    assert found["status"] == "success"
    assert found["steps"][0]["output"].replace("error\n", "") == "x" * 3_000_000 + "\ufffd\n"
    assert found["steps"][0]["output"].count("error\n") == 1


def finished(site: Site, execution: str) -> dict[str, Any]:
    """Ask as the original's page did, and return the first answer that says that it has ended."""
    while True:
        found = site.execution(execution)
        if found["status"] in ("success", "failed"):
            return found
