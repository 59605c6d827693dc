"""``make demo``: what a newcomer sees first, run for real on another port and in another folder."""

from __future__ import annotations

import re
import signal
import socket
import sys
import time
from pathlib import Path

import pytest

from support.processes import Process, Processes, free_port, those_of

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


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ends_everything_within_five_seconds(demo: Demo, number: signal.Signals) -> None:
    process = demo.start()
    process.wait_for_output("Serving until Ctrl-C", 60)
    asked = time.monotonic()
    process.send(number)
    assert process.wait(5) == 0
    assert time.monotonic() - asked < 5
    assert those_of(demo.folder) == []


def test_leaves_the_configuration_of_somebody_who_has_one(demo: Demo, processes: Processes) -> None:
    mine = processes.folder / ".config" / "plumber" / "config.toml"
    mine.parent.mkdir(parents=True)
    mine.write_text('url = "https://plumber.example"\n')
    process = demo.start()
    process.wait_for_output("Serving until Ctrl-C", 60)
    assert "PLUMBER_CONFIG_DIR=" in process.output()
    assert mine.read_text() == 'url = "https://plumber.example"\n'


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
