"""Running tasks over a server's API, and reading back what became of them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from support.programs import HTTP, RunningServer
from support.waiting import wait_until_sync

ENDS = {"succeeded", "failed", "cancelled"}


def start(server: RunningServer, *steps: dict[str, Any] | str, on: Any = "one", **task: Any) -> str:
    """Start an unsaved task and return the execution's id; a text is a step that runs it."""
    named = [{"run": step} if isinstance(step, str) else step for step in steps]
    listed = [{"name": f"s{number}", **step} for number, step in enumerate(named)]
    source = json.dumps({"name": "test", "on": on, "steps": listed, **task})
    return str(server.call("execution.start", source=source, format="json")["id"])


def show(server: RunningServer, execution: str) -> dict[str, Any]:
    """Return an execution as the API shows it."""
    shown: dict[str, Any] = server.call("execution.show", execution=execution)
    return shown


def ended(server: RunningServer, execution: str, timeout: float = 60.0) -> dict[str, Any]:
    """Wait for an execution's end and return it.

    Raises: Overdue.
    """

    def over() -> dict[str, Any] | None:
        shown = show(server, execution)
        return shown if shown["state"] in ENDS else None

    found: dict[str, Any] = wait_until_sync(over, timeout, f"execution {execution} to end")
    return found


def run(server: RunningServer, *steps: dict[str, Any] | str, timeout: float = 20.0, **task: Any) -> dict[str, Any]:
    """Run an unsaved task to its end and return the execution."""
    return ended(server, start(server, *steps, **task), timeout)


def only_attempt(execution: dict[str, Any], step: int = 0) -> dict[str, Any]:
    """Return the one attempt of a step execution; fails when there was another."""
    [attempt] = execution["steps"][step]["attempts"]
    found: dict[str, Any] = attempt
    return found


def attempt_of(server: RunningServer, execution: str, step: int = 0) -> str:
    """Wait until a step was handed out and return its attempt's id."""

    def handed_out() -> str | None:
        attempts = show(server, execution)["steps"][step]["attempts"]
        return attempts[-1]["id"] if attempts else None

    return str(wait_until_sync(handed_out, what=f"step {step} of {execution} to be handed out"))


def raw_log(server: RunningServer, attempt: str, stream: str = "stdout") -> bytes:
    """Return one stream of an attempt's log, byte by byte."""
    query = {"format": "raw", "stream": stream}
    answer = HTTP.get(f"{server.url}/logs/{attempt}", params=query, headers=_authorization(server))
    assert answer.status_code == 200, answer.text
    return answer.content


def log_digest(server: RunningServer, attempt: str, stream: str) -> tuple[int, str]:
    """Return the length and the SHA-256 of one stream, read in pieces."""
    query = {"format": "raw", "stream": stream}
    digest, length = hashlib.sha256(), 0
    with HTTP.stream("GET", f"{server.url}/logs/{attempt}", params=query, headers=_authorization(server)) as answer:
        for piece in answer.iter_bytes():
            digest.update(piece)
            length += len(piece)
    return length, digest.hexdigest()


def wait_until_complete(server: RunningServer, attempt: str, timeout: float = 60.0) -> None:
    """Wait until the server has all of an attempt's log: it may outlast the command for a moment."""

    def complete() -> bool:
        answer = HTTP.get(f"{server.url}/logs/{attempt}", params={"limit": 1}, headers=_authorization(server))
        return answer.headers["plumber-log-complete"] == "true"

    wait_until_sync(complete, timeout, f"the whole log of {attempt}")


def wait_until_printed(server: RunningServer, attempt: str, text: bytes, stream: str = "stdout") -> None:
    """Wait until the server has durable output of an attempt that contains ``text``."""
    wait_until_sync(lambda: text in raw_log(server, attempt, stream), 20, f"{text!r} in the log of {attempt}")


def metrics(server: RunningServer) -> dict[str, float]:
    """Return the numbers that one server process tells about itself."""
    text = HTTP.get(f"{server.url}/metrics", headers=_authorization(server)).text
    lines = [line.rpartition(" ") for line in text.splitlines() if line and not line.startswith("#")]
    return {name: float(value) for name, _, value in lines}


def wait_for_file(path: Path, timeout: float = 20.0) -> str:
    """Wait until a file holds a whole line, and return its text."""

    def text() -> str:
        found = path.read_text() if path.exists() else ""
        return found if found.endswith("\n") else ""

    return str(wait_until_sync(text, timeout, f"{path.name} to be written"))


def _authorization(server: RunningServer) -> dict[str, str]:
    return {"Authorization": f"Bearer {server.token}"}
