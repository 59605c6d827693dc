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

from support.processes import PROGRAMS, Process, Processes, free_port, those_of
from support.waiting import wait_until_sync

_DEMO = Path(__file__).parents[2] / "tools" / "demo.py"


class Demo:
    """The demo in a folder of its own."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self.folder = processes.folder / "demo"
        self.port = free_port()

    def start(self, *options: str) -> Process:
        log = f"run{len(list(self._processes.folder.glob('*.log')))}"
        command = [sys.executable, _DEMO, "--port", str(self.port), "--dir", self.folder, *options]
        return self._processes.start(log, command)

    def exit_code(self, *options: str) -> tuple[int, str]:
        process = self.start(*options)
        code = process.wait(60)
        return code, process.output()


@pytest.fixture
def demo(processes: Processes) -> Demo:
    return Demo(processes)


def test_runs_the_sample_task_on_both_agents_and_a_second_run_knows_the_first(demo: Demo) -> None:
    code, first = demo.exit_code("--exit")
    assert code == 0, first
    for expected in (f"http://127.0.0.1:{demo.port}", "web-1", "web-2", "v1.2.3"):
        assert expected in first
    assert those_of(demo.folder) == []
    demo.port = free_port()
    code, second = demo.exit_code("--exit")
    assert code == 0, second
    assert _login(second) == _login(first)
    assert (demo.folder / "password").stat().st_mode & 0o777 == 0o600


def test_ctrl_c_ends_a_running_task_and_everything_else_within_five_seconds(demo: Demo) -> None:
    process = demo.start()
    process.wait_for_output("part 1 of", 60)
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(5) == 130
    assert those_of(demo.folder) == []


def test_serves_until_asked_to_end_and_leaves_the_login_of_somebody_who_has_one(
    demo: Demo, processes: Processes
) -> None:
    mine = processes.folder / ".config" / "plumber" / "config.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text('url = "https://plumber.example"\n')
    process = demo.start()
    process.wait_for_output("Serving until Ctrl-C", 60)
    assert httpx.get(f"http://127.0.0.1:{demo.port}/health").status_code == 200
    assert "PLUMBER_CONFIG_DIR=" in process.output()
    assert mine.read_text() == 'url = "https://plumber.example"\n'
    running = {found.pid for found in those_of(demo.folder)}
    code, output = demo.exit_code(f"--port={free_port()}")
    assert (code, output) == (1, f"Another demo is running in {demo.folder}. End it with Ctrl-C first.\n")
    assert {found.pid for found in those_of(demo.folder)} == running
    assert process.stop(5) == 0
    assert those_of(demo.folder) == []


def test_logs_in_the_cli_of_a_newcomer_and_takes_everything_along_when_killed(demo: Demo, processes: Processes) -> None:
    process = demo.start()
    process.wait_for_output("Serving until Ctrl-C", 60)
    newcomer = processes.start("whoami", [PROGRAMS / "plumber", "whoami"])
    assert newcomer.wait() == 0, newcomer.output()
    process.kill()
    wait_until_sync(lambda: not those_of(demo.folder), 10, "the server, the agents and their commands to end")


def test_names_a_taken_port_and_the_way_out(demo: Demo) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", demo.port))
        other.listen()
        code, output = demo.exit_code("--exit")
    assert code == 1
    assert output.splitlines() == [
        f"Port {demo.port} is taken. End what listens there, or choose another: make demo PORT={demo.port + 1}"
    ]
    assert not demo.folder.exists()


def _login(output: str) -> str:
    found = re.search(r"^Login +(.*)$", output, re.MULTILINE)
    assert found is not None, output
    return found[1]
