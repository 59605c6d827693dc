"""The README's commands in a clone of what git tracks, on a machine without Node: ``make demo``, and Ctrl-C."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sysconfig
import venv
from pathlib import Path

import pytest

from support.processes import Processes, free_port, those_of

_ROOT = Path(__file__).parents[2]
_WANTED = ("requirements.lock", "requirements-dev.lock", "pyproject.toml")
_PROGRAMS = {
    "plumber": "plumber_core.cli",
    "plumber-server": "plumber_server.start",
    "plumber-agent": "plumber_agent.main",
}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What a clone of this checkout holds, set up: downloading packages once more would prove nothing new."""
    folder = tmp_path / "plumber"
    listed = ["git", "-C", _ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in filter(None, subprocess.check_output(listed, text=True).split("\0")):
        if (_ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(_ROOT / name, folder / name)
    _set_up(folder)
    return folder


def _set_up(folder: Path) -> None:
    made = folder / ".venv"
    venv.create(made, with_pip=False, symlinks=True)
    site = Path(sysconfig.get_path("purelib", vars={"base": str(made), "platbase": str(made)}))
    (site / "all.pth").write_text(f"{folder / 'src'}\n{sysconfig.get_path('purelib')}\n")
    for name, module in _PROGRAMS.items():
        program = made / "bin" / name
        program.write_text(f"#!{made / 'bin' / 'python'}\nfrom {module} import main\nmain()\n")
        program.chmod(0o755)
    locks = b"".join((folder / name).read_bytes() for name in _WANTED)
    (made / ".plumber-setup-runtime").write_bytes(b"%s %s" % (os.fsencode(folder), _checksum(locks)))


def _checksum(data: bytes) -> bytes:
    return subprocess.run(["cksum"], input=data, stdout=subprocess.PIPE, check=True).stdout


@pytest.fixture
def without_node(tmp_path: Path) -> str:
    """A search path on which Node.js is too old."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "node").write_text("#!/bin/sh\nexit 1\n")
    (tmp_path / "bin" / "node").chmod(0o755)
    return f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}"


def test_make_demo_shows_a_task_on_two_agents_and_ends_with_ctrl_c(
    clone: Path, without_node: str, processes: Processes
) -> None:
    port = free_port()
    demo = processes.start("make", ["make", "-C", clone, "demo", f"PORT={port}"], PATH=without_node)
    demo.wait_for_output("Serving until Ctrl-C", 60)
    printed = demo.output()
    assert "Node.js 20.19 or newer was not found" in printed
    for shown in (
        f"http://127.0.0.1:{port}\n",
        "web-1 │ shop-1.2.3: part 1 of 5\n",
        "web-2 │ shop-1.2.3: part 5 of 5\n",
    ):
        assert shown in printed
    second_terminal = [clone / ".venv/bin/plumber", "task", "run", "demo", "-p", "version=v2", "--watch"]
    again = processes.start("again", second_terminal)
    assert again.wait(30) == 0, again.output()
    os.killpg(demo.pid, signal.SIGINT)
    demo.wait(5)
    assert those_of(clone) == []
