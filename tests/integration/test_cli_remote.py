"""The command line against a real server with real agents."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.processes import PROGRAMS, Processes
from support.programs import PASSWORD, RunningServer, launch_agent, launch_server, opened

TASK = """\
name: demo
params: {version: {type: string, required: true}}
on: role=web
steps:
  - {name: build, run: 'echo building $version'}
  - {name: check, run: 'echo careful >&2; exit $CODE', env: {CODE: '0'}}
"""


@dataclass
class Cli:
    folder: Path

    def __call__(self, *arguments: str, stdin: str = "", **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [PROGRAMS / "plumber", *arguments], input=stdin, capture_output=True, text=True, timeout=60,
            cwd=self.folder, env=self.environment | environment,
        )  # fmt: skip

    @property
    def environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("PLUMBER_", "LC_", "LANG"))}
        return kept | {"PLUMBER_CONFIG_DIR": str(self.folder / "conf")}

    def json(self, *arguments: str) -> Any:
        answer = self(*arguments, "-o", "json")
        assert answer.returncode == 0, answer.stderr
        return json.loads(answer.stdout)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[RunningServer]:
    folder = tmp_path_factory.mktemp("cli")
    with opened(folder, request) as processes:
        running = launch_server(processes, f"sqlite:///{folder}/p.db")
        for name in ("web-1", "web-2"):
            launch_agent(processes, running, name, {"role": "web"})
        yield running


@pytest.fixture
def cli(server: RunningServer, tmp_path: Path) -> Cli:
    plumber = Cli(tmp_path)
    # Not by password: tries are limited, also for tests.
    assert plumber("login", server.url, "--token", server.token).returncode == 0
    (tmp_path / "demo.yaml").write_text(TASK)
    return plumber


def test_a_task_is_checked_saved_and_run_with_its_output(cli: Cli) -> None:
    assert cli("task", "validate", "-f", "demo.yaml").stdout == "demo can be saved.\n"
    assert "demo, revision" in cli("task", "apply", "-f", "demo.yaml").stdout
    answer = cli("task", "run", "demo", "-p", "version=v1", "--watch")
    assert answer.returncode == 0, answer.stderr
    for host in ("web-1", "web-2"):
        assert f"{host} │ building v1\n" in answer.stdout
        assert f"{host} ! careful\n" in answer.stdout
    assert "\x1b" not in answer.stdout
    assert "✓ succeeded in" in answer.stdout.splitlines()[-1]


def test_json_is_everywhere_and_alone_on_stdout(cli: Cli) -> None:
    cli("task", "apply", "-f", "demo.yaml")
    assert cli.json("task", "show", "demo")["name"] == "demo"
    assert [agent["name"] for agent in cli.json("agent", "list")["items"]] == ["web-1", "web-2"]
    assert cli.json("whoami")["name"] == "admin"
    ended = cli.json("task", "run", "demo", "-p", "version=v1", "--watch")
    assert ended["state"] == "succeeded"
    lines = [json.loads(line) for line in cli("execution", "logs", ended["id"], "-o", "json").stdout.splitlines()]
    assert {"step": "build", "host": "web-1", "stream": "stdout", "text": "building v1"} in lines
    only = cli("execution", "logs", ended["id"], "--host", "web-1", "--step", "build")
    assert only.stdout == "building v1\n"


def test_a_command_runs_everywhere_and_its_failure_is_the_exit_code(cli: Cli) -> None:
    answer = cli("exec", "--on", "role=web", "--", "sh", "-c", "echo 'two  spaces'; exit 3")
    assert answer.returncode == 1
    assert "web-1 │ two  spaces\n" in answer.stdout
    assert "web-2 ✗ command  exit 3" in answer.stdout
    failed = cli.json("execution", "list", "--state", "failed")["items"][0]["id"]
    assert answer.stderr == f"Go on where it broke: plumber execution resume {failed}\n"


def test_a_command_that_cannot_run_is_refused_by_the_option_that_is_wrong(cli: Cli) -> None:
    answer = cli("exec", "--on", "role=(", "--timeout", "soon", "--", "true")
    assert answer.returncode == 2
    told = answer.stderr.splitlines()
    assert [line.partition(":")[0] for line in told] == ["error", "--on", "--timeout"]


def test_who_matches_a_target_who_nearly_does_and_why_not(cli: Cli) -> None:
    answer = cli("agent", "match", "role=web and not web-2")
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.splitlines()[0] == "1 match, 1 of them are online."
    shown = {line.split()[0]: line for line in answer.stdout.splitlines()[2:]}
    assert shown["web-1"].split() == ["web-1", "yes"]
    assert "not web-2: its name is web-2" in shown["web-2"]
    near = cli("agent", "match", "rolle=web", "-o", "json")
    assert near.returncode == 1
    assert json.loads(near.stdout)["unknown"] == [{"word": "rolle", "nearest": "role"}]
    chinese = cli("agent", "match", "rolle=web and cpus>=1", LANG="zh_CN.UTF-8")
    assert "没有节点具有 rolle。是不是想写 role？" in chinese.stdout
    wrong = cli("agent", "match", "role=web adn x")
    assert wrong.returncode == 2
    assert "column 10: expected and, or, or the end, found adn (write and)" in wrong.stderr


def test_problems_of_a_file_stand_at_their_lines(cli: Cli) -> None:
    (cli.folder / "bad.yaml").write_text("name: x\nstep: []\n")
    answer = cli("task", "apply", "-f", "bad.yaml")
    assert answer.returncode == 2
    assert "bad.yaml:2:1: " in answer.stderr
    assert "Did you mean steps?" in answer.stderr
    assert "是不是想写 steps？" in cli("task", "apply", "-f", "bad.yaml", LANG="zh_CN.UTF-8").stderr


def test_what_is_not_there_is_named_with_the_nearest(cli: Cli) -> None:
    cli("task", "apply", "-f", "demo.yaml")
    answer = cli("task", "run", "dmo")
    assert (answer.returncode, answer.stderr) == (2, "error: There is no task dmo.\nhint: Did you mean demo?\n")


def test_without_a_good_credential_the_exit_code_is_4(cli: Cli) -> None:
    answer = cli("task", "list", PLUMBER_TOKEN="plm_wrong")
    assert answer.returncode == 4
    assert "plumber login URL" in answer.stderr


def test_a_wrong_password_is_refused_and_nothing_is_stored(server: RunningServer, tmp_path: Path) -> None:
    plumber = Cli(tmp_path)
    answer = plumber("login", server.url, "--user", "admin", "--password-stdin", stdin="wrong\n")
    assert (answer.returncode, answer.stderr) == (4, "error: User name or password is wrong.\n")
    assert not (tmp_path / "conf").exists()


def test_the_originals_set_config_works(server: RunningServer, tmp_path: Path) -> None:
    plumber = Cli(tmp_path)
    url = f"{server.url}/rpc"
    assert plumber("set-config", "--url", url, "--user", "admin", "--password", PASSWORD).returncode == 0
    assert plumber("task", "list").returncode == 0
    assert PASSWORD not in (tmp_path / "conf" / "config.toml").read_text()


def test_a_session_lasts_from_login_to_logout(server: RunningServer, tmp_path: Path) -> None:
    plumber = Cli(tmp_path)
    answer = plumber("login", server.url, "--user", "admin", "--password-stdin", stdin=PASSWORD + "\n")
    assert answer.stdout == f"Logged in: admin (user) at {server.url}\n"
    assert plumber("whoami").stdout == f"admin (user) at {server.url}\n"
    assert plumber("logout").returncode == 0
    assert plumber("task", "list").returncode == 4


def test_an_agent_file_is_private(cli: Cli) -> None:
    assert cli("agent", "create", "db-1", "-l", "role=db", "-o", "agent.json").returncode == 0
    file = cli.folder / "agent.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert set(json.loads(file.read_text())) == {"id", "token", "server_addr"}
    assert json.loads(cli("agent", "rotate", "db-1").stdout)["id"] == json.loads(file.read_text())["id"]
    assert cli.json("agent", "label", "db-1", "zone=a", "role-")["labels"] == {"zone": "a"}
    assert cli("agent", "delete", "db-1").returncode == 0


def test_a_token_works_until_it_is_revoked(cli: Cli) -> None:
    created = cli.json("token", "create", "ci")
    assert cli("whoami", PLUMBER_TOKEN=created["token"]).returncode == 0
    assert cli("token", "revoke", created["id"]).returncode == 0
    assert cli("whoami", PLUMBER_TOKEN=created["token"]).returncode == 4


def test_ctrl_c_leaves_the_execution_running(cli: Cli, processes: Processes) -> None:
    watching = processes.start(
        "watch", [PROGRAMS / "plumber", "exec", "--on", "web-1", "--", "echo started; exec sleep 60"], **cli.environment
    )
    watching.wait_for_output("web-1 │ started", 30)
    watching.send(signal.SIGINT)
    assert watching.wait(30) == 130
    assert "plumber execution cancel" in watching.output()
    running = cli.json("execution", "list", "--state", "running")["items"]
    assert len(running) == 1
    assert cli("execution", "cancel", running[0]["id"], "--kill").returncode == 0
    assert cli("execution", "watch", running[0]["id"]).returncode == 1


def test_output_is_seen_while_the_command_runs(cli: Cli, processes: Processes) -> None:
    command = "echo first; touch ready; while [ ! -e go ]; do sleep 0.02; done; printf 'last without newline'"
    line = ["exec", "--on", "web-2", "--", f"cd '{cli.folder}'; {command}"]
    watching = processes.start("live", [PROGRAMS / "plumber", *line], **cli.environment)
    watching.wait_for_output("web-2 │ first", 30)
    assert watching.exit_code is None
    (cli.folder / "go").touch()
    assert watching.wait(30) == 0
    assert "web-2 │ last without newline\n" in watching.output()


def test_a_megabyte_of_lines_arrives_whole(cli: Cli) -> None:
    answer = cli("exec", "--on", "web-1", "--", "seq 1 150000")
    shown = [line.removeprefix("web-1 │ ") for line in answer.stdout.splitlines() if line.startswith("web-1 │ ")]
    assert shown == [str(number) for number in range(1, 150001)]


def test_a_file_runs_without_a_server(cli: Cli) -> None:
    (cli.folder / "here.yaml").write_text("name: here\non: all\nsteps: [{name: say, run: 'echo hello; exit 4'}]\n")
    answer = cli("run", "here.yaml")
    assert answer.returncode == 1
    assert "│ hello\n" in answer.stdout
    assert "exit 4" in answer.stdout


def test_a_target_is_given_a_name_used_and_forgotten(cli: Cli) -> None:
    saved = cli("group", "save", "pages", "role=web and not web-2", "--description", "who serves pages")
    assert (saved.returncode, saved.stdout) == (0, "group:pages means 1 of the agents now.\n"), saved.stderr
    assert json.loads(cli("agent", "match", "group:pages", "-o", "json").stdout)["names"] == ["web-1"]
    [listed] = json.loads(cli("group", "list", "-o", "json").stdout)
    assert (listed["expression"], listed["total"]) == ("role=web and not web-2", 1)
    refused = cli("group", "save", "pages", "group:page", LANG="zh_CN.UTF-8")
    assert refused.returncode != 0 and "没有分组 page，最接近的是 pages" in refused.stderr
    assert cli("group", "delete", "pages").stdout == "Deleted pages.\n"
    assert cli("agent", "match", "group:pages").returncode != 0


CHOICES = """\
name: choices
params:
  parts: {type: multi-enum, choices: [api, web, db], default: [web]}
  where: {type: target, required: true}
  loud: {type: bool, default: false}
steps:
  - {name: say, on: "${{ params.where }}", run: 'echo $parts $loud'}
"""


def test_values_are_chosen_from_many_and_remembered_for_whoever_ran_it(cli: Cli) -> None:
    (cli.folder / "choices.yaml").write_text(CHOICES)
    assert cli("task", "apply", "-f", "choices.yaml").returncode == 0
    run = cli("task", "run", "choices", "-p", "parts=db,api", "-p", "where=web-2", "--watch")
    assert run.returncode == 0 and "web-2 │ db api false\n" in run.stdout, run.stderr
    again = cli("task", "run", "choices", "--last", "-p", "loud=true", "--watch")
    assert again.returncode == 0 and "web-2 │ db api true\n" in again.stdout, again.stderr
    refused = cli("task", "run", "choices", "-p", "where=web-2", "-p", "parts=wep")
    assert refused.returncode != 0 and "perhaps web" in refused.stderr
    mine, nobodys = (cli.json("execution", "list", "--task", "choices", "--by", by)["items"] for by in ("admin", "eve"))
    assert (len(mine), nobodys) == (2, [])
