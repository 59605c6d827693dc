"""The line of "add a server", pasted into an empty folder: no repository, no package index, nothing installed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from plumber_server.install.shelf import Shelf
from support.api import attempt_of, ended, only_attempt, raw_log, run, start, wait_until_complete, wait_until_printed
from support.http_receiver import receiving
from support.processes import Processes, those_of
from support.programs import RunningServer, wait_until_online
from support.waiting import wait_until_sync

pytestmark = pytest.mark.parametrize("started_server", ["sqlite"], indirect=True)
PYTHON = Path(sys.base_prefix) / "bin"
TOOLS = (
    "basename",
    "cat",
    "chmod",
    "curl",
    "cut",
    "dirname",
    "grep",
    "head",
    "id",
    "ln",
    "mkdir",
    "mktemp",
    "mv",
    "rm",
)
MORE_TOOLS = ("sed", "setsid", "sh", "sleep", "tail", "tr", "uname", "wget")
NO_INDEX = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}
TIME_LIMIT = 240


@dataclass
class Target:
    """A machine on which somebody pastes lines: a few tools, a Python, and an empty folder."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.bin.mkdir(parents=True)
        for name in (*TOOLS, *MORE_TOOLS):
            if (found := shutil.which(name)) is not None:
                (self.bin / name).symlink_to(found)
        (self.bin / "python3").symlink_to(PYTHON / "python3")
        self.env = {
            "PATH": str(self.bin),
            "HOME": str(self.folder),
            "TMPDIR": str(self.folder),
            "PLUMBER_AGENT_DIR": str(self.home),
            "PLUMBER_AGENT_STATE_DIR": str(self.folder / "state"),
            **NO_INDEX,
        }

    @property
    def bin(self) -> Path:
        return self.folder / "bin"

    @property
    def home(self) -> Path:
        return self.folder / "agent"

    @property
    def versions(self) -> list[str]:
        return sorted(path.name for path in self.home.glob("versions/*"))

    def program(self, name: str, text: str) -> None:
        """Put another program in the place of one."""
        (self.bin / name).unlink(missing_ok=True)
        (self.bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self.bin / name).chmod(0o755)

    def paste(self, line: str, **env: str) -> subprocess.CompletedProcess[str]:
        """Run a line, as a terminal does."""
        return subprocess.run(
            [self.bin / "sh", "-c", line],
            cwd=self.folder,
            env=self.env | env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIME_LIMIT,
            check=False,
        )


@pytest.fixture
def target(processes: Processes) -> Target:
    """A fresh one; what its agents leave running ends with the test."""
    return Target(processes.folder / "target")


def line_of(server: RunningServer, **enrolment: Any) -> str:
    return str(server.call("agent.enroll", **enrolment)["command"])


def test_one_line_makes_an_agent_that_runs_steps_and_again_an_upgrade(
    shared_server: RunningServer, target: Target
) -> None:
    line = line_of(shared_server, name="pasted", labels={"role": "pasted"})
    assert line.startswith(f"curl -fsSL {shared_server.url}/install.sh | PLUMBER_ENROLL_TOKEN=plm_enroll_")
    result = target.paste(line)
    assert result.returncode == 0, result.stdout + result.stderr
    assert f"Connected to {shared_server.url} as pasted." in result.stdout
    wait_until_online(shared_server, "pasted")

    _runs_every_kind_of_step(shared_server, target)
    _keeps_no_token(target, line)
    _upgrades_under_a_running_command(shared_server, target)
    _runs_under_systemd(shared_server, target)
    shared_server.call("agent.revoke", agent="pasted")


def _runs_every_kind_of_step(server: RunningServer, target: Target) -> None:
    wait_until_sync(
        lambda: {"http", "script", "shell"} <= set(server.call("agent.show", agent="pasted")["executors"]),
        what="the agent to say what it can run",
    )
    wait_until_sync(
        lambda: server.call("agent.show", agent="pasted")["load"] is not None, what="the agent's load to be stored"
    )
    script = {"uses": "script", "with": {"script": "#!/bin/sh\necho script\n"}}
    http = {"uses": "http", "with": {"url": f"{server.url}/health", "expect": 200}}
    execution = run(server, "echo shell", script, http, on="pasted", timeout=60)
    assert execution["state"] == "succeeded", execution
    assert [raw_log(server, only_attempt(execution, step)["id"]) for step in (0, 1)] == [b"shell\n", b"script\n"]
    # Nothing of this checkout is used: the agent's Python knows only its own folder.
    code = "import sys, plumber_core, pydantic; print(plumber_core.__file__, pydantic.__file__)"
    shown = subprocess.run(
        [target.home / "current/bin/python", "-c", code], env={}, capture_output=True, text=True, check=True
    )
    assert all(path.startswith(f"{target.home}/") for path in shown.stdout.split())
    assert not (target.home / "current/bin/plumber-server").exists()


def _keeps_no_token(target: Target, line: str) -> None:
    token = next(word for word in line.split() if "TOKEN=" in word).partition("=")[2]
    written = [path for path in target.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert not [path for path in written if token.encode() in path.read_bytes()]
    assert (target.home / "agent.json").stat().st_mode & 0o777 == 0o600
    for process in those_of(target.folder):
        assert token not in " ".join(process.cmdline())
        assert token not in process.environ().values()


def _upgrades_under_a_running_command(server: RunningServer, target: Target) -> None:
    gate = target.folder / "gate"
    os.mkfifo(gate)
    execution = start(server, f"echo before; cat {gate}; echo after", on="pasted")
    attempt = attempt_of(server, execution)
    wait_until_printed(server, attempt, b"before")
    identity, pid = (target.home / "agent.json").read_text(), (target.home / "agent.pid").read_text()
    [version] = target.versions
    (target.home / "versions" / version / ".complete").unlink()

    result = target.paste(line_of(server, name="another").replace("curl -fsSL", "wget -qO-"))
    assert result.returncode == 0, result.stdout + result.stderr
    assert "Installing" in result.stdout and "The token was not used" in result.stdout
    assert (target.home / "agent.json").read_text() == identity
    assert (target.home / "agent.pid").read_text() != pid
    gate.write_text("during\n")
    assert ended(server, execution)["state"] == "succeeded"
    # A report may come before the rest of the log.
    wait_until_complete(server, attempt)
    assert raw_log(server, attempt) == b"before\nduring\nafter\n"


def _runs_under_systemd(server: RunningServer, target: Target) -> None:
    """No test machine runs systemd: a program in its place notes what it is asked for."""
    units, notes = target.folder / "units", target.folder / "systemctl.log"
    units.mkdir()
    target.program("systemctl", f'echo "$*" >>{notes}')
    target.program("id", "echo 0")
    line = f"curl -fsSL {server.url}/install.sh | sh -s {server.url} --unit-dir {units} --workdir '{target.folder}'"
    result = target.paste(line)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "is installed already" in result.stdout
    wanted = ["daemon-reload", "enable --quiet agent.service", "restart agent.service"]
    assert notes.read_text().splitlines()[1:] == wanted
    unit = (units / "agent.service").read_text()
    program = f"{target.home}/current/bin/plumber-agent --config {target.home}/agent.json --workdir {target.folder}"
    assert f"ExecStart={program} --state-dir {target.folder}/state\n" in unit
    assert "KillMode=process" in unit and "Delegate=yes" in unit
    (units / "agent.service").write_text("mine")
    assert "Kept" in target.paste(line).stdout
    assert (units / "agent.service").read_text() == "mine"


def test_a_file_that_is_not_what_the_manifest_says_is_not_installed(
    shared_server: RunningServer, target: Target
) -> None:
    shelf = Shelf()
    files = {name: shelf.file(name) for _, name in (line.split() for line in shelf.manifest().decode().splitlines())}
    with receiving() as receiver:
        receiver.answers = {f"/install/{name.replace('+', '%2B')}": (200, data) for name, data in files.items()}
        receiver.answers["/install/SHA256SUMS"] = (200, shelf.manifest())
        [bad] = [path for path in receiver.answers if "/pluggy-" in path]
        receiver.answers[bad] = (200, files[bad.removeprefix("/install/")] + b" ")
        receiver.answers["/install.sh"] = (200, shelf.script)
        result = target.paste(f"curl -fsSL {receiver.url}/install.sh | sh -s {receiver.url}")
    assert result.returncode == 1
    assert "pluggy-" in result.stderr and "SHA-256" in result.stderr and "Nothing was changed" in result.stderr
    assert target.versions == [] and not (target.home / "current").exists()


@pytest.mark.parametrize("language", ["C.UTF-8", "zh_CN.UTF-8"])
def test_without_a_fitting_python_one_line_says_what_to_do(
    shared_server: RunningServer, target: Target, language: str
) -> None:
    line = line_of(shared_server)
    (target.bin / "python3").unlink()
    none = target.paste(line, LC_ALL=language)
    target.program("python3", 'case "$2" in *ensurepip*) exit 1 ;; esac')
    no_venv = target.paste(line, LC_ALL=language)
    for result in (none, no_venv):
        assert result.returncode == 1
        assert result.stderr.count("\n") == 1 and "python3-venv" in result.stderr
        assert ("请先安装" in result.stderr) == language.startswith("zh")
    assert "3.11" in none.stderr
    assert not target.home.exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("", "address is missing"),
        ("ftp://x", "neither an option"),
        ("--dir", "needs a value"),
        ("--help", "--no-start"),
    ],
)
def test_the_script_says_how_it_is_used(shared_server: RunningServer, target: Target, options: str, said: str) -> None:
    result = target.paste(f"curl -fsSL {shared_server.url}/install.sh | sh -s -- {options}")
    assert said in result.stdout + result.stderr
    assert result.returncode == (0 if options == "--help" else 1)


def test_a_used_token_is_refused_and_the_line_can_be_pasted_again_with_a_fresh_one(
    shared_server: RunningServer, target: Target
) -> None:
    enrolment = shared_server.call("agent.enroll", name="late")
    shared_server.call("agent.redeem", token=enrolment["token"], name="late", server_addr=shared_server.url)
    refused = target.paste(enrolment["command"])
    assert refused.returncode == 1 and "credential" in refused.stderr
    assert not (target.home / "agent.json").exists()
    result = target.paste(f"{line_of(shared_server, name='fresh')} --no-start")
    assert result.returncode == 0, result.stdout + result.stderr
    assert "is installed already" in result.stdout and "To start it: " in result.stdout
    assert json.loads((target.home / "agent.json").read_text())["server_addr"] == shared_server.url
    assert those_of(target.home) == []
