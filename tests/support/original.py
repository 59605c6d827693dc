"""The original's programs, played over HTTP: a person with a bearer token, an agent with ``X-Agent-Token``."""

from __future__ import annotations

import itertools
import json
import subprocess
from typing import Any

from support.programs import HTTP, PASSWORD
from support.waiting import wait_until_sync

_NUMBERS = itertools.count(1)


def call(url: str, method: str, headers: dict[str, str], **params: Any) -> Any:
    """Call one method and return its result; an error is an AssertionError with its message."""
    request = {"jsonrpc": "2.0", "id": next(_NUMBERS), "method": method, "params": params}
    answer = HTTP.post(url, content=json.dumps(request), headers=headers).json()
    assert "error" not in answer, answer
    assert answer["id"] == request["id"]
    return answer["result"]


class Person:
    """Logs in as the original's page did, at ``/rpc`` or ``/api/rpc``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.headers: dict[str, str] = {}
        self.login = self.call("user.login", username="admin", password=PASSWORD)
        self.headers = {"Authorization": f"Bearer {self.login['token']}"}

    def call(self, method: str, **params: Any) -> Any:
        return call(self.url, f"plumber.{method}", self.headers, **params)


class OldAgent:
    """The original's agent: it registers, polls, runs one command at a time with ``sh -c``, and reports."""

    def __init__(self, url: str, config: str) -> None:
        values = json.loads(config)
        self.id, self.server_addr = values["id"], values["server_addr"]
        self._url, self._headers = url, {"X-Agent-Token": values["token"]}

    def call(self, method: str, **params: Any) -> Any:
        return call(self._url, f"plumber.{method}", self._headers, **params)

    def register(self, hostname: str) -> Any:
        return self.call("agent.register", agent_id=self.id, hostname=hostname, ip="10.0.0.7")

    def heartbeat(self) -> Any:
        return self.call("agent.heartbeat", agent_id=self.id)

    def poll(self) -> dict[str, Any]:
        """Ask once."""
        answer: dict[str, Any] = self.call("agent.pollTask", agent_id=self.id)
        return answer

    def next(self) -> dict[str, Any]:
        """Ask until there is a step."""
        found: dict[str, Any] = wait_until_sync(lambda: self.poll().get("task"), what="a step for the original's agent")
        return found

    def carry_out(self, task: dict[str, Any]) -> dict[str, Any]:
        """Run a step as the original did and report it; return what was reported."""
        done = subprocess.run(
            ["sh", "-c", task["command"]], cwd=task["path"] or None, capture_output=True, check=False, timeout=30
        )
        return self.report(task, done.returncode, (done.stdout + done.stderr).decode("utf-8", "replace"))

    def report(self, task: dict[str, Any], code: int, output: str) -> dict[str, Any]:
        """Report a step's end; return what was reported."""
        status = "failed" if code else "success"
        report = {"step_id": task["step_id"], "status": status, "exit_code": code, "output": output}
        assert self.call("step.report", **report) == {"status": "updated"}
        return report
