"""Huge, deep and odd JSON at the door of a server: refused with a clear answer, and the server goes on as it was."""

from __future__ import annotations

import json
import socket
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from support.programs import HTTP, RunningServer

pytestmark = [pytest.mark.row(74), pytest.mark.quick]
LIMIT = 2 * 1024 * 1024


def post(server: RunningServer, body: bytes) -> Any:
    headers = {"Authorization": f"Bearer {server.token}", "Content-Type": "application/json"}
    return HTTP.post(f"{server.url}/rpc", content=body, headers=headers)


def memory(server: RunningServer) -> int:
    return int(psutil.Process(server.process.pid).memory_info().rss)


def exchange(server: RunningServer, head: str, body: bytes) -> bytes:
    """Send a request by hand and return what comes back before the server closes."""
    place = urlsplit(server.url)
    with socket.create_connection((str(place.hostname), int(place.port or 80)), timeout=20) as connection:
        request = (
            f"POST /rpc HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n{head}\r\n\r\n"
        )
        connection.sendall(request.encode() + body)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
        return answer


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 100_000,
        b'{"jsonrpc": "2.0", "id": 1, "method": "task.list", "params": {"limit": ' + b"9" * 5000 + b"}}",
        b'{"jsonrpc": "2.0", "id": 1, "method": "task.list", "params": {"limit": 1e999}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "task.list", "params": {"limit": NaN}}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "task.show", "params": {"task": "\\ud800"}}',
        b"\xff\xfe{}",
        b"",
    ],
    ids=["deep list", "deep object", "5000 digits", "1e999", "NaN", "lone surrogate", "not UTF-8", "nothing"],
)
def test_odd_json_is_an_error_of_the_caller_and_the_next_call_works(hasty_server: RunningServer, body: bytes) -> None:
    answer = post(hasty_server, body)
    assert answer.status_code in (200, 400), answer.text
    assert "error" in answer.json() or answer.status_code == 400
    code = answer.json().get("error", {}).get("code", -32700)
    assert code in (-32700, -32600, -32602, -32001) or -32099 <= code <= -32000
    assert hasty_server.call("agent.list") is not None


def test_a_repeated_key_never_runs_anything_twice(hasty_server: RunningServer) -> None:
    body = b'{"jsonrpc": "2.0", "id": 1, "method": "agent.list", "method": "task.list", "params": {}}'
    assert set(post(hasty_server, body).json()) <= {"jsonrpc", "id", "result", "error"}


def test_a_gigabyte_that_is_only_announced_is_refused_at_once_and_costs_nothing(hasty_server: RunningServer) -> None:
    before = memory(hasty_server)
    answer = exchange(hasty_server, f"Content-Length: {1024**3}", b"{")
    assert b" 413 " in answer.partition(b"\r\n")[0]
    assert memory(hasty_server) - before < 8 * 1024 * 1024


def test_a_body_that_never_ends_is_cut_off_at_the_limit(hasty_server: RunningServer) -> None:
    before = memory(hasty_server)
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    try:
        answer = exchange(hasty_server, "Transfer-Encoding: chunked", chunk * (3 * LIMIT // 65536))
    except (ConnectionError, BrokenPipeError):
        answer = b"HTTP/1.1 413 cut off"
    assert b" 413 " in answer.partition(b"\r\n")[0]
    assert memory(hasty_server) - before < 16 * 1024 * 1024
    assert json.dumps(hasty_server.call("agent.list"))
