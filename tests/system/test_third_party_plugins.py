"""Third parties' plugins, from their wheels: installed beside Plumber's own wheel in a fresh environment, they work."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.http_receiver import receiving
from support.processes import Processes
from support.programs import CallFailed, RunningServer, launch_server, wait_until_online, write_agent_json
from support.slapd import SLAPD, slapd
from support.waiting import wait_until_sync

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
EXAMPLE, POSTGRES, MATTERMOST, LDAP = (
    EXAMPLES / f"plumber-{name}" for name in ("executor-greet", "executor-postgres", "notifier-mattermost", "auth-ldap")
)
SETTINGS = """
[notifications]
failure = ["ops"]

[plugins]
order.authenticators = ["token", "password", "ldap"]

[plugins.mattermost.channels.ops]
server = "{chat}"
token = "bot-token"
channel_id = "c1"

[plugins.ldap]
server = "{directory}"
may = {{operators = ["*"], viewers = ["*:list"]}}
"""


class Installation:
    """A fresh environment. What Plumber depends on comes from this one, so nothing is downloaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"
        venv.create(folder, with_pip=False, symlinks=True)
        site = Path(sysconfig.get_path("purelib", vars={"base": str(folder), "platbase": str(folder)}))
        (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))

    def install(self, *wheels: Path) -> None:
        uv = [sys.executable, "-m", "uv", "pip", "install", "--python", self.python]
        run(*uv, "--quiet", "--no-deps", "--no-index", "--offline", "--no-cache", *wheels, cwd=self.folder)

    def run(self, *command: str | Path, stdin: str = "", code: int = 0, **env: str) -> str:
        return run(self.python, *command, cwd=self.folder, stdin=stdin, code=code, **env)

    def host(self, *arguments: str, stdin: str = "", code: int = 0, **env: str) -> str:
        return self.run("-P", "-m", "plumber_core.runner.executor_host", *arguments, stdin=stdin, code=code, **env)


def run(*command: str | Path, cwd: Path, stdin: str = "", code: int = 0, **env: str) -> str:
    """Run a program and return what it printed; fails with its errors unless it ends with ``code``."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PLUMBER_", "PYTHON"))}
    result = subprocess.run(
        command, cwd=cwd, input=stdin, env=clean | env, capture_output=True, text=True, timeout=300, check=False
    )
    assert result.returncode == code, f"{command}\n{result.stdout}\n{result.stderr}"
    return result.stdout


def wheel(project: Path, folder: Path) -> Path:
    """Build a project's wheel with what is installed here."""
    run(
        sys.executable,
        "-m",
        "hatchling",
        "build",
        "--target",
        "wheel",
        "--directory",
        folder,
        cwd=project,
        PLUMBER_SKIP_WEB="1",
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    projects = (ROOT, EXAMPLE, POSTGRES, MATTERMOST, LDAP)
    wheels = [wheel(project, tmp_path_factory.mktemp(project.name)) for project in projects]
    made = Installation(tmp_path_factory.mktemp("fresh") / "venv")
    made.install(*wheels)
    return made


def test_runs_from_the_wheels_and_not_from_this_checkout(installed: Installation) -> None:
    code = "import plumber_core, plumber_executor_greet as g; print(plumber_core.__file__, g.__file__)"
    for place in installed.run("-P", "-c", code).split():
        assert place.startswith(str(installed.folder))


def test_is_described_with_the_schema_of_its_parameters(installed: Installation) -> None:
    found = {entry["kind"]: entry for entry in json.loads(installed.host("--describe"))}
    assert {"greet", "http", "script", "shell"} <= set(found)
    assert found["greet"]["schema"]["required"] == ["name"]
    assert found["greet"]["schema"]["properties"]["times"]["maximum"] == 100
    assert found["greet"]["summary"] == "Greets somebody, and hands the greeting on."


def test_runs(installed: Installation, tmp_path: Path) -> None:
    output = tmp_path / "attempt.out"
    request = json.dumps({"params": {"name": "Ada", "times": 2}})
    assert installed.host("greet", stdin=request, PLUMBER_OUTPUT=str(output)) == "Hello, Ada!\nHello, Ada!\n"
    assert json.loads(output.read_text()) == {"greeting": "Hello, Ada!"}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if SLAPD is None:
        pytest.skip("slapd is not installed: apt-get install slapd")
    with slapd(tmp_path_factory.mktemp("directory")) as url:
        yield url


def test_a_real_server_and_a_real_agent_use_all_of_them(
    installed: Installation, processes: Processes, sqlite_url: str, directory: str, postgres_url: str
) -> None:
    settings = processes.folder / "plumber.toml"
    with receiving() as chat:
        chat.answers["/api/v4/posts"] = (201, b"{}")
        settings.write_text(SETTINGS.format(chat=chat.url, directory=directory))
        programs = installed.folder / "bin"
        server = launch_server(processes, sqlite_url, programs=programs, PLUMBER_CONFIG=str(settings))
        greeted, counted = _used(server, processes, programs, postgres_url)
        assert greeted == {"greeting": "Hello, Ada!"}
        assert counted == {"rows": "1", "value": "7"}
        assert server.call("notification.test", channel="ops")["state"] == "sent"
        server.token = server.call("session.login", username="eve", password="only-looks-on")["token"]
        assert server.call("task.list")["items"] == []
        with pytest.raises(CallFailed, match="forbidden"):
            server.call("execution.start", source="{name: t, on: greeter, steps: [{name: f, run: exit 3}]}")
        server.token = server.call("session.login", username="ada", password="lovelace-1815")["token"]
        begun = server.call("execution.start", source="{name: t, on: greeter, steps: [{name: f, run: exit 3}]}")
        assert begun["requested_by"] == "ada"
        wait_until_sync(lambda: len(chat.got) == 2, 30, "the failure to be told")
    assert chat.url not in server.process.output(), "addresses of chats are secrets"
    assert "**t failed**" in json.loads(chat.got[1].body)["message"]
    assert chat.got[1].headers["authorization"] == "Bearer bot-token"


SOURCE = """
name: t
on: greeter
steps:
  - {name: g, uses: greet, with: {name: Ada}}
  - name: p
    uses: postgres
    secrets: {DSN: file:dsn}
    with: {dsn: '${{ secrets.DSN }}', query: 'select %s::int + 1', values: [6]}
"""


def _used(server: RunningServer, processes: Processes, programs: Path, dsn: str) -> list[dict[str, str]]:
    """Have an agent run a step of each executor, one of them with a secret; return what they hand on."""
    config = processes.folder / "agent.json"
    write_agent_json(config, server.call("agent.create", name="greeter")["config"], server.url)
    (processes.folder / "dsn").write_text(dsn)
    (processes.folder / "agent.toml").write_text(f"[plugins.file-secrets]\nfolder = '{processes.folder}'\n")
    state = processes.folder / "state"
    processes.start("greeter", [programs / "plumber-agent", "--config", config, "--state-dir", state])
    wait_until_online(server, "greeter")
    wait_until_sync(lambda: "greet" in server.call("agent.show", agent="greeter")["executors"], 30)
    begun = server.call("execution.start", source=SOURCE)

    def ended() -> dict[str, Any] | None:
        detail: dict[str, Any] = server.call("execution.show", execution=begun["id"])
        return detail if detail["ended_at"] else None

    detail = wait_until_sync(ended, 30)
    assert detail["state"] == "succeeded", detail
    return [step["attempts"][0]["outputs"] for step in detail["steps"]]


def test_is_gone_when_disabled(installed: Installation) -> None:
    assert "greet" not in installed.host("--describe", PLUMBER_DISABLE_PLUGINS="greet")
    installed.host("greet", stdin='{"params": {"name": "Ada"}}', code=127, PLUMBER_DISABLE_PLUGINS="greet")


@pytest.mark.parametrize(
    ("project", "passed"),
    [
        (EXAMPLE, "13 passed, 1 skipped"),
        (POSTGRES, "15 passed, 1 skipped"),
        (MATTERMOST, "14 passed"),
        (LDAP, "79 passed"),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_its_own_tests_pass_on_the_wheel(
    installed: Installation, project: Path, passed: str, request: pytest.FixtureRequest
) -> None:
    needs = {LDAP: {"LDAP_URL": "directory"}, POSTGRES: {"POSTGRES_DSN": "postgres_url"}}.get(project, {})
    env = {variable: request.getfixturevalue(fixture) for variable, fixture in needs.items()}
    command = ("-m", "pytest", "-p", "no:cacheprovider", "-p", "no:asyncio", "-q", project / "tests")
    assert passed in installed.run(*command, **env)


def test_its_command_is_one_of_plumbers(installed: Installation) -> None:
    code = "from plumber_core.cli import main; main(['greet', 'Ada'])"
    assert installed.run("-P", "-c", code) == "Hello, Ada!\n"
