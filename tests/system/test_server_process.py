"""``plumber-server`` as a process: how it starts, what keeps it from starting, how it stops."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from plumber_server.limits import MAX_HEADERS
from support.processes import PROGRAMS, Process, Processes, free_port
from support.programs import RunningServer

COMMAND = [PROGRAMS / "plumber-server"]


def fails(process: Process) -> str:
    """Return the one line that a failing start prints."""
    assert process.wait(20) == 1
    lines = process.output().strip().splitlines()
    assert len(lines) == 1, lines
    assert "Traceback" not in lines[0]
    return lines[0]


def test_a_taken_port_is_one_clear_line(processes: Processes, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = processes.start("server", COMMAND, SERVER_PORT=str(port), DATABASE_URL="sqlite:///p.db")
        assert f"127.0.0.1:{port}" in fails(process)
    assert not (tmp_path / "p.db").exists()


@pytest.mark.parametrize("url", ["mysql://x:hunter2@y/z", "nonsense", "sqlite:////no/such/folder/p.db"])
def test_a_bad_database_url_is_one_clear_line(processes: Processes, url: str) -> None:
    line = fails(processes.start("server", COMMAND, SERVER_PORT="0", DATABASE_URL=url))
    assert "DATABASE_URL" in line
    assert "hunter2" not in line


def test_a_newer_schema_is_one_clear_line(processes: Processes, start_server: Any, tmp_path: Path) -> None:
    start_server(f"sqlite:///{tmp_path}/p.db").process.stop()
    with sqlite3.connect(tmp_path / "p.db") as database:
        database.execute("update plumber_schema set version_num = '9999'")
    line = fails(processes.start("again", COMMAND, SERVER_PORT="0", DATABASE_URL=f"sqlite:///{tmp_path}/p.db"))
    assert "newer release" in line


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("port = 'x'", "PLUMBER_PORT"),
        ("prot = 1", "did you mean port"),
        ("port = ", "settings.toml"),
        (None, "No such file"),
    ],
)
def test_a_bad_settings_file_is_one_clear_line(
    processes: Processes, tmp_path: Path, content: str | None, words: str
) -> None:
    file = tmp_path / "settings.toml"
    if content is not None:
        file.write_text(content)
    assert words in fails(processes.start("server", COMMAND, PLUMBER_CONFIG=str(file)))


def test_settings_come_from_the_environment_then_from_the_file(processes: Processes, tmp_path: Path) -> None:
    port = free_port()
    (tmp_path / "settings.toml").write_text(f'port = {port}\ndatabase_url = "sqlite:///from-file.db"\n')
    env = {"PLUMBER_CONFIG": str(tmp_path / "settings.toml"), "DATABASE_URL": "sqlite:///from-env.db"}
    env |= {"HOST": "no.such.host", "PORT": "1", "PLUGINS": "nonsense"}
    processes.start("server", COMMAND, **env).wait_for_output(f"http://127.0.0.1:{port}", 20)
    assert (tmp_path / "from-env.db").exists()
    assert not (tmp_path / "from-file.db").exists()


def test_the_first_password_is_printed_once_and_works(processes: Processes) -> None:
    port = str(free_port())
    env = {"SERVER_PORT": port, "DATABASE_URL": "sqlite:///p.db"}
    first = processes.start("first", COMMAND, **env)
    first.wait_for_output("listening", 20)
    password = first.output().split("password of admin is ")[1].split()[0]
    login = {"username": "admin", "password": password}
    assert httpx.post(f"http://127.0.0.1:{port}/api/session.login", json=login).status_code == 200
    assert first.stop() == 0
    second = processes.start("second", COMMAND, **env)
    second.wait_for_output("listening", 20)
    assert "password" not in second.output()


def test_plain_http_beyond_loopback_starts_with_a_warning(processes: Processes) -> None:
    process = processes.start("server", COMMAND, SERVER_PORT="0", PLUMBER_HOST="0.0.0.0", DATABASE_URL="sqlite:///p.db")
    process.wait_for_output("listening", 20)
    assert "plain HTTP" in process.output()


def test_loopback_starts_without_a_warning(start_server: Callable[..., RunningServer], tmp_path: Path) -> None:
    assert "Warning" not in start_server(f"sqlite:///{tmp_path}/p.db").process.output()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_stops_by_itself_with_streams_open(
    start_server: Callable[..., RunningServer], tmp_path: Path, number: signal.Signals
) -> None:
    server = start_server(f"sqlite:///{tmp_path}/p.db")
    headers = {"Authorization": f"Bearer {server.token}"}
    with (
        httpx.Client(base_url=server.url, headers=headers, timeout=20) as client,
        client.stream("GET", "/events") as events,
    ):
        chunks = events.iter_bytes()
        next(chunks)
        server.process.send(number)
        assert server.process.wait(10) == 0
        assert list(chunks) == []
    assert "Traceback" not in server.process.output()


def test_a_stalled_body_does_not_keep_it_from_stopping(
    start_server: Callable[..., RunningServer], tmp_path: Path
) -> None:
    server = start_server(f"sqlite:///{tmp_path}/p.db")
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as stalled:
        stalled.sendall(b"POST /rpc HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{")
        assert server.process.stop(10) == 0


@pytest.mark.parametrize("shape", ["one endless header", "many headers", "endless address"])
def test_headers_are_limited(start_server: Callable[..., RunningServer], tmp_path: Path, shape: str) -> None:
    server = start_server(f"sqlite:///{tmp_path}/p.db")
    size = MAX_HEADERS * 2
    request = {
        "one endless header": b"GET / HTTP/1.1\r\nx: " + b"y" * size,
        "many headers": b"GET / HTTP/1.1\r\nhost: x\r\n" + b"x: y\r\n" * (size // 2) + b"\r\n",
        "endless address": b"GET /" + b"y" * size,
    }[shape]
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2]))) as connection:
        connection.settimeout(10)
        connection.sendall(request)
        answer = connection.recv(100)
    assert answer.split()[1] in (b"431", b"400")


def test_logs_are_json_lines_without_secrets(start_server: Callable[..., RunningServer], tmp_path: Path) -> None:
    server = start_server(f"sqlite:///{tmp_path}/p.db")
    headers = {"Authorization": f"Bearer {server.token}"}
    assert httpx.get(f"{server.url}/nowhere", headers=headers).status_code == 404
    assert httpx.post(f"{server.url}/rpc", headers=headers, content=b"\xff").status_code == 200
    server.process.stop()
    for line in server.process.output().splitlines():
        if not line.startswith(("Plumber", "First")):
            json.loads(line)
    assert server.token not in server.process.output()


def test_help_and_version(processes: Processes) -> None:
    process = processes.start("help", [*COMMAND, "--help"])
    assert process.wait() == 0
    assert "DATABASE_URL" in process.output()
