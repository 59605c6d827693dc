from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from support.processes import Processes
from support.supervised import proc
from support.waiting import wait_until_sync

PASS = "from plumber_core.crash import crash_point\nfor n in range(5):\n    print(n, flush=True); crash_point('a.b')\n"


def passing(processes: Processes, **env: str) -> tuple[int, str]:
    program = processes.start("passing", [sys.executable, "-c", PASS], **env)
    return program.wait(), program.output()


def test_it_dies_at_the_pass_that_was_asked_for(processes: Processes) -> None:
    assert passing(processes, PLUMBER_CRASH_AT="a.b:3") == (137, "0\n1\n2\n")


def test_without_a_number_it_dies_at_the_first(processes: Processes) -> None:
    assert passing(processes, PLUMBER_CRASH_AT="a.b") == (137, "0\n")


def test_another_point_lets_it_pass(processes: Processes) -> None:
    assert passing(processes, PLUMBER_CRASH_AT="a.c", PLUMBER_FREEZE_AT="a.d") == (0, "0\n1\n2\n3\n4\n")


def test_it_stands_still_until_it_is_woken(processes: Processes) -> None:
    program = processes.start("frozen", [sys.executable, "-c", PASS], PLUMBER_FREEZE_AT="a.b:2")
    wait_until_sync(lambda: proc(program.pid, "stat").rpartition(b")")[2].split()[0] == b"T", 10, "it to stand still")
    assert program.output() == "0\n1\n"
    program.send(signal.SIGCONT)
    assert program.wait() == 0


def test_nothing_is_looked_up_when_nobody_asked() -> None:
    source = "import plumber_core.crash as c; c._crash = c._freeze = None; c.crash_point('a.b')"
    assert subprocess.run([sys.executable, "-c", source], cwd=Path("/"), env={}, check=False).returncode == 0
