"""The command line starts light, speaks in the user's language, and says what is wrong in one form."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from plumber_core.cli import build_app, run
from plumber_core.errors import (
    Conflict,
    Forbidden,
    NotFound,
    PlumberError,
    ProtocolError,
    RateLimited,
    Unauthenticated,
    Unreachable,
)
from plumber_core.terminal.problems import exit_code_of

HEAVY = {"sqlalchemy", "litestar", "psycopg", "uvicorn", "alembic"}


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBER_CONFIG_DIR", str(tmp_path))
    for name in ("PLUMBER_URL", "PLUMBER_TOKEN"):
        monkeypatch.delenv(name, raising=False)


def plumber(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from plumber_core.cli import main; main()", *arguments]
    clean = {k: v for k, v in os.environ.items() if k not in ("LANG", "LC_ALL", "LANGUAGE", "LC_MESSAGES")}
    return subprocess.run(command, capture_output=True, text=True, env=clean | environment, timeout=60)


@pytest.mark.parametrize("arguments", [[], ["task", "list"], ["exec", "--on", "x", "--", "y"], ["task", "run", "x"]])
def test_a_remote_verb_loads_neither_the_database_nor_the_server(arguments: list[str]) -> None:
    program = (
        "import sys, json\nfrom plumber_core.cli import run\n"
        f"code = run({arguments!r})\nprint('\\n' + json.dumps(sorted(sys.modules)))"
    )
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    loaded = set(json.loads(answer.stdout.splitlines()[-1]))
    assert not loaded & HEAVY
    assert arguments or "httpx" not in loaded


def test_help_is_shown_in_both_languages() -> None:
    english, chinese = plumber("--help"), plumber("--help", LANG="zh_CN.UTF-8")
    assert english.returncode == chinese.returncode == 0
    assert "Usage: plumber COMMAND" in english.stdout
    assert "用法：plumber COMMAND" in chinese.stdout
    assert "在所有匹配的服务器上运行一条命令并跟随输出。" in chinese.stdout
    for verb in ("task", "execution", "agent", "token", "exec", "login", "run", "version"):
        assert f" {verb} " in english.stdout


def test_without_colours_nothing_but_text_is_printed() -> None:
    answer = plumber("--help", NO_COLOR="1", FORCE_COLOR="1")
    assert "\x1b[3" not in answer.stdout


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["taks"], "error: There is no command taks.\nhint: Did you mean task?"),
        (["task", "run", "x", "--wach"], "error: There is no option --wach.\nhint: Did you mean --watch?"),
        (["task", "run"], "error: TASK is missing.\nhint: See `plumber task run --help`."),
        (["task", "list", "-o", "xml"], "error: xml does not fit --output.\nhint: Choose from: table, json"),
        (["task", "list"], "error: No server is configured.\nhint: Log in with `plumber login URL`"),
        (["task", "run", "x", "-p", "novalue"], "error: No server is configured."),
        (["exec", "--on", "x", "--"], "error: "),
        (["task", "validate", "-f", "/nowhere.yaml"], "error: /nowhere.yaml: No such file or directory."),
        (["login", "ftp://s"], "error: url: it must start with http:// or https://."),
        (["login", "http://127.0.0.1:1"], "error: --password-stdin: needed"),
    ],
)
def test_wrong_usage_says_what_and_ends_with_2(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())
    try:
        code = run(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    answer = capsys.readouterr()
    assert code == 2
    assert answer.err.startswith(said)
    assert answer.out == ""


def test_an_unreachable_server_ends_with_3(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBER_URL", "http://127.0.0.1:1")
    assert run(["agent", "list"]) == 3
    assert capsys.readouterr().err.startswith("error: Cannot reach http://127.0.0.1:1: Connection refused.\nhint: Is")


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NotFound(kind="task", name="x"), 2),
        (Conflict(reason="x"), 2),
        (Unreachable(url="u", reason="r"), 3),
        (ProtocolError(reason="r"), 3),
        (RateLimited(retry_after=1), 3),
        (Unauthenticated(), 4),
        (Forbidden(action="a"), 4),
    ],
)
def test_exit_codes(error: PlumberError, code: int) -> None:
    assert exit_code_of(error) == code


def test_an_unexpected_error_is_no_traceback(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("plumber_core.cli.build_app", broken)
    assert run([]) == 70
    assert "internal error: ZeroDivisionError: oops" in capsys.readouterr().err


def test_a_broken_plugin_does_not_take_the_local_verbs_away(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("plumber_core.plugins.manager.PluginManager.load_installed", _break)
    assert run(["version"]) == 0
    answer = capsys.readouterr()
    assert answer.out.startswith("plumber ")
    assert "Plugin bad cannot be used" in answer.err


def _break(manager: object) -> None:
    from plumber_core.errors import PluginBroken

    raise PluginBroken(plugin="bad", name="bad", reason="ImportError")


def verbs(app: App, words: str = "plumber") -> Iterator[tuple[str, App]]:
    """Yield every command that can be called."""
    for name in app:
        if not name.startswith("-"):
            below = app[name]
            if below.default_command is not None:
                yield f"{words} {name}", below
            else:
                yield from verbs(below, f"{words} {name}")


def test_every_verb_answers_programs_too() -> None:
    without = {
        words
        for words, verb in verbs(build_app())
        if not any("--output" in argument.names for argument in verb.assemble_argument_collection())
    }
    assert without == {"plumber completion", "plumber schema task"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_the_verbs(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    script = capsys.readouterr().out
    assert "execution" in script
    assert ("-l watch" if shell == "fish" else "--watch") in script


def test_the_schema_of_tasks_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "task"]) == 0
    assert json.loads(capsys.readouterr().out)["type"] == "object"
