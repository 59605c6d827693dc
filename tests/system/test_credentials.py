"""Credentials: each is good for one thing, once where that was said, and no longer than it was meant to be."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from plumber_client import AsyncClient
from plumber_core.errors import Unauthenticated
from support.processes import PROGRAMS, Process, Processes
from support.programs import HTTP, PASSWORD, CallFailed, RunningServer, launch_agent, wait_until_online
from support.waiting import wait_until_sync

CALL = {"jsonrpc": "2.0", "id": 1, "method": "task.list", "params": {}}


def status(server: RunningServer, token: str, address: str = "/rpc") -> int:
    """Return the HTTP status of a person's call with a token."""
    body = CALL if address.endswith("rpc") else {}
    return HTTP.post(server.url + address, json=body, headers={"Authorization": f"Bearer {token}"}).status_code


async def test_an_enrolment_token_is_redeemed_by_exactly_one_of_twenty(shared_server: RunningServer) -> None:
    token = shared_server.call("agent.enroll", name="only")["token"]

    async def redeem(number: int) -> Any:
        async with AsyncClient(shared_server.url) as client:
            return await client.agents.redeem(token=token, name=f"n{number}", server_addr=shared_server.url)

    answers = await asyncio.gather(*(redeem(number) for number in range(20)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, Unauthenticated)]
    [config] = [answer for answer in answers if not isinstance(answer, BaseException)]
    assert len(refused) == 19
    assert shared_server.call("agent.show", agent="only")["id"] == config.id


def test_a_server_enrols_itself_with_a_token_that_no_process_list_shows_and_then_works(
    shared_server: RunningServer, processes: Processes
) -> None:
    token = shared_server.call("agent.enroll", name="enrolled", labels={"role": "new"})["token"]
    config = processes.folder / "agent.json"
    enrol: list[str | Path] = [PROGRAMS / "plumber-agent", "--enroll", shared_server.url, "--config", config]
    assert processes.start("enrol", enrol, PLUMBER_ENROLL_TOKEN=token).wait() == 0
    assert config.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(config.read_text())) == {"id", "token", "server_addr"}
    again = processes.start("again", [*enrol[:-1], processes.folder / "other.json"], PLUMBER_ENROLL_TOKEN=token)
    assert again.wait() != 0
    assert not (processes.folder / "other.json").exists()
    processes.start("agent", agent_command(processes.folder))
    wait_until_online(shared_server, "enrolled")
    assert shared_server.call("agent.show", agent="enrolled")["labels"]["role"] == "new"
    shared_server.call("agent.revoke", agent="enrolled")


def agent_command(folder: Path) -> list[str | Path]:
    """Return the command line of an agent whose everything is in one folder."""
    places = ["--config", folder / "agent.json", "--workdir", folder, "--state-dir", folder / "state"]
    return [PROGRAMS / "plumber-agent", *places]


@pytest.mark.parametrize("address", ["/rpc", "/api/rpc", "/api/task.list"])
def test_an_agents_credential_opens_nothing_for_people(shared_server: RunningServer, address: str) -> None:
    name = f"closed{address.replace('/', '-')}"
    token = shared_server.call("agent.create", name=name)["config"]["token"]
    assert status(shared_server, token, address) == 401
    assert status(shared_server, shared_server.token, address) == 200
    assert status(shared_server, "plm_session_nobody", address) == 401


@pytest.mark.parametrize("path", ["/events", "/logs/x", "/metrics"])
def test_nor_what_people_read_by_plain_http(shared_server: RunningServer, path: str) -> None:
    name = f"reads{path.replace('/', '-')}"
    token = shared_server.call("agent.create", name=name)["config"]["token"]
    for header in (f"Bearer {token}", ""):
        assert HTTP.get(shared_server.url + path, headers={"Authorization": header}).status_code == 401


@pytest.mark.parametrize("path", ["/agent/v1/rpc", "/agent/v1/poll", "/agent/v1/logs"])
def test_a_persons_credential_is_no_agents(shared_server: RunningServer, path: str) -> None:
    api_token = shared_server.call("token.create", name="ci")["token"]
    for token in (shared_server.token, api_token):
        headers = {"Authorization": f"Bearer {token}", "X-Agent-Token": token}
        assert HTTP.post(shared_server.url + path, json={}, headers=headers).status_code == 401


def test_a_revoked_token_is_soon_refused(shared_server: RunningServer) -> None:
    created = shared_server.call("token.create", name="ci")
    assert status(shared_server, created["token"]) == 200
    shared_server.call("token.revoke", id=created["id"])
    wait_until_sync(lambda: status(shared_server, created["token"]) == 401, what="the token to be refused")


def test_a_session_ends_with_its_logout(shared_server: RunningServer) -> None:
    other = RunningServer(shared_server.url, "", shared_server.start, shared_server.process)
    other.log_in()
    other.call("session.logout")
    wait_until_sync(lambda: status(shared_server, other.token) == 401, what="the session to be over")
    assert status(shared_server, shared_server.token) == 200


def test_a_revoked_agent_is_refused_at_once_and_ends_with_a_clear_line(
    shared_server: RunningServer, processes: Processes
) -> None:
    agent = launch_agent(processes, shared_server, "leaver")
    shared_server.call("agent.revoke", agent="leaver")
    assert agent.process.wait(15) == 78
    assert last_line(agent.process).startswith("plumber-agent: ")
    assert "does not accept this agent's credential" in last_line(agent.process)
    assert "Traceback" not in agent.process.output()
    assert '"level": "error"' not in shared_server.process.output()


def last_line(process: Process) -> str:
    return process.output().strip().splitlines()[-1]


@pytest.mark.parametrize("started_server", ["sqlite"], indirect=True)
def test_guessing_passwords_is_slowed_down_and_logging_in_is_not(shared_server: RunningServer) -> None:
    codes = Counter(refusal(shared_server, f"guess {number}") for number in range(12))
    assert codes["rate_limited"] >= 1
    assert set(codes) == {"wrong_password", "rate_limited"}
    other = RunningServer(shared_server.url, "", shared_server.start, shared_server.process)
    for _ in range(11):
        other.log_in()


def refusal(server: RunningServer, password: str) -> str:
    with pytest.raises(CallFailed) as failed:
        server.call("session.login", username="mallory", password=password)
    return str(failed.value.code)


def test_no_secret_is_stored_or_logged_as_it_is(shared_server: RunningServer, tmp_path: Path) -> None:
    created = shared_server.call("agent.create", name="kept")["config"]["token"]
    secrets = [created, shared_server.token, PASSWORD]
    assert not any(secret in shared_server.process.output() for secret in secrets)
    if shared_server.database_url.startswith("sqlite"):
        database = Path(shared_server.database_url.removeprefix("sqlite:///"))
        stored = b"".join(path.read_bytes() for path in database.parent.glob(f"{database.name}*"))
        assert not any(secret.encode() in stored for secret in secrets)


def test_the_answers_to_an_unknown_user_and_to_a_wrong_password_are_the_same(shared_server: RunningServer) -> None:
    def answer(username: str) -> Any:
        params = {"username": username, "password": "not the password"}
        request = {"jsonrpc": "2.0", "id": 1, "method": "session.login", "params": params}
        return HTTP.post(f"{shared_server.url}/rpc", json=request).json()["error"]

    assert answer("admin") == answer("nobody-at-all")
