"""``make demo``: what a newcomer sees first, run for real on another port and in another folder."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from pathlib import Path

import httpx
import pytest

from demo import logged_in_command
from demo_parts import Home
from plumber_client import config
from plumber_client.config import Profile
from support.processes import PROGRAMS, Process, Processes, free_port, those_of
from support.waiting import wait_until_sync

_DEMO = Path(__file__).parents[2] / "tools" / "demo.py"


class Demo:
    """The demo in a folder of its own."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self.folder = processes.folder / "demo"
        self.port = free_port()

    def start(self, *options: str, **env: str) -> Process:
        log = f"run{len(list(self._processes.folder.glob('*.log')))}"
        command = [sys.executable, _DEMO, "--port", str(self.port), "--dir", self.folder, *options]
        return self._processes.start(log, command, **env)

    def exit_code(self, *options: str, **env: str) -> tuple[int, str]:
        process = self.start(*options, **env)
        code = process.wait(60)
        return code, process.output()


@pytest.fixture
def demo(processes: Processes) -> Demo:
    return Demo(processes)


def test_a_newcomer_is_served_and_a_second_run_knows_the_first(demo: Demo, processes: Processes) -> None:
    process = demo.start()
    process.wait_for_output("Serving until Ctrl-C", 60)
    assert httpx.get(f"http://127.0.0.1:{demo.port}/health", trust_env=False).status_code == 200
    newcomer = processes.start("whoami", [PROGRAMS / "plumber", "whoami"])
    assert newcomer.wait() == 0, newcomer.output()
    _refuses_a_second_one_and_leaves_the_first_alone(demo)
    assert process.stop(5) == 0
    assert those_of(demo.folder) == []
    demo.port = free_port()
    code, second = demo.exit_code("--exit")
    assert code == 0, second
    for expected in (f"http://127.0.0.1:{demo.port}", "web-1", "web-2", "v1.2.3"):
        assert expected in second
    assert _login(second) == _login(process.output())
    assert (demo.folder / "password").stat().st_mode & 0o777 == 0o600
    assert those_of(demo.folder) == []


def _refuses_a_second_one_and_leaves_the_first_alone(demo: Demo) -> None:
    running = {found.pid for found in those_of(demo.folder)}
    code, output = demo.exit_code(f"--port={free_port()}")
    assert (code, output) == (1, f"Another demo is running in {demo.folder}. End it with Ctrl-C first.\n")
    assert {found.pid for found in those_of(demo.folder)} == running


def test_ctrl_c_ends_a_running_task_and_everything_else_within_five_seconds(demo: Demo) -> None:
    process = demo.start()
    process.wait_for_output("part 1 of", 60)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(5) == 130
    assert those_of(demo.folder) == []


def test_takes_everything_along_when_it_is_killed(demo: Demo) -> None:
    process = demo.start()
    process.wait_for_output("part 1 of", 60)
    process.kill()
    wait_until_sync(lambda: not those_of(demo.folder), 10, "the server, the agents and their commands to end")


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (None, "http://127.0.0.1:2"),
        (Profile("http://127.0.0.1:1", "older", "admin"), "http://127.0.0.1:2"),
        (Profile("http://127.0.0.1:1", "mine", "me"), "http://127.0.0.1:1"),
        (Profile("https://plumber.example", "mine"), "https://plumber.example"),
    ],
    ids=["none", "an earlier demo's", "another login", "another server"],
)
def test_replaces_no_login_of_the_user(
    stored: Profile | None, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLUMBER_CONFIG_DIR", str(tmp_path / "mine"))
    if stored:
        config.store(stored)
    home = Home(tmp_path / "demo")
    config.store(Profile("http://127.0.0.1:2", "newer", "admin"), {"PLUMBER_CONFIG_DIR": str(home.cli)})
    command = logged_in_command(home, before=Profile("http://127.0.0.1:1", "older", "admin"))
    assert config.stored().url == expected
    assert ("PLUMBER_CONFIG_DIR=" in command) == (stored is not None and expected == stored.url)


@pytest.mark.parametrize(
    ("language", "sentence"),
    [
        ("en", "Port {port} is taken. End what listens there, or choose another: make demo PORT={next}"),
        ("zh_CN.UTF-8", "端口 {port} 已被占用。请结束占用它的程序，或换一个：make demo PORT={next}"),
    ],
)
def test_names_a_taken_port_and_the_way_out_in_both_languages(demo: Demo, language: str, sentence: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", demo.port))
        other.listen()
        code, output = demo.exit_code("--exit", LANGUAGE=language)
    assert code == 1
    assert output.splitlines() == [sentence.format(port=demo.port, next=demo.port + 1)]
    assert not demo.folder.exists()


def _login(output: str) -> str:
    found = re.search(r"^Login +(.*)$", output, re.MULTILINE)
    assert found is not None, output
    return found[1]
