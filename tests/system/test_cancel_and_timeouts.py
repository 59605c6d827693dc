"""Cancel, timeouts, and commands that cannot start: nothing is left running, and each end says clearly what it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from support.api import ended, only_attempt, run, start, wait_for_file
from support.processes import PROGRAMS, Processes
from support.programs import RunningAgent, RunningServer
from support.supervised import alive
from support.waiting import wait_until_sync

# A child that has left the session and ignores TERM; the main process says that it was asked to end.
TREE = """
setsid sh -c 'trap "" TERM; echo $$ > child; while :; do sleep 0.05; done' &
trap 'echo asked > asked{more}' TERM
echo $$ > main
while :; do sleep 0.05 || :; done
"""


class Tree:
    """A running step with a stubborn child."""

    def __init__(self, server: RunningServer, folder: Path, more: str, grace: str) -> None:
        self._server, self._folder = server, folder
        step = {"run": TREE.replace("{more}", more), "path": str(folder), "grace": grace}
        self.execution = start(server, step, "echo never")
        self.pids = [int(wait_for_file(folder / name)) for name in ("main", "child")]

    def cancel(self, **how: Any) -> None:
        self._server.call("execution.cancel", execution=self.execution, **how)

    def wait_until_asked(self) -> None:
        wait_for_file(self._folder / "asked")

    def ended(self) -> dict[str, Any]:
        """Wait for the end; fails unless all is dead and the next step never began."""
        shown = ended(self._server, self.execution)
        wait_until_sync(lambda: not any(map(alive, self.pids)), what="the whole tree to be dead")
        assert [step["state"] for step in shown["steps"]] == ["cancelled", "cancelled"]
        assert shown["state"] == "cancelled"
        assert shown["steps"][1]["attempts"] == []
        return only_attempt(shown)


def test_cancel_asks_first_and_ends_a_child_that_left_the_session_and_ignores_it(
    shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    tree = Tree(shared_server, tmp_path, more="; exit 5", grace="20s")
    tree.cancel(reason="wrong version")
    attempt = tree.ended()
    assert (tmp_path / "asked").exists()
    assert (attempt["state"], attempt["exit_code"], attempt["signal"]) == ("cancelled", 5, None)


@pytest.mark.row(75)
def test_what_ignores_the_request_is_killed_after_the_grace_period(
    shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    tree = Tree(shared_server, tmp_path, more="", grace="300ms")
    tree.cancel()
    attempt = tree.ended()
    assert (tmp_path / "asked").exists()
    assert (attempt["state"], attempt["exit_code"], attempt["signal"]) == ("cancelled", None, 9)


def test_a_second_cancel_kills_at_once(
    shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    tree = Tree(shared_server, tmp_path, more="", grace="10m")
    tree.cancel()
    tree.wait_until_asked()
    tree.cancel()
    assert tree.ended()["signal"] == 9


def test_a_cancel_reaches_an_agent_that_was_away(
    shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    tree = Tree(shared_server, tmp_path, more="; exit 5", grace="20s")
    shared_agent.process.kill()
    tree.cancel()
    shared_agent.restart()
    assert tree.ended()["exit_code"] == 5


ENDS: list[tuple[dict[str, Any], str, str, str]] = [
    ({"run": "echo begun; sleep 60", "timeout": "200ms"}, "timed_out", "timeout", "it took longer than 0.2 s"),
    ({"run": "echo begun; sleep 60", "idle_timeout": "200ms"}, "timed_out", "idle_timeout", "it was silent for 0.2 s"),
    ({"run": "true", "path": "/no/such/folder"}, "failed", "path_missing", "/no/such/folder"),
    ({"run": "true", "path": "/etc/passwd"}, "failed", "not_a_directory", "/etc/passwd"),
    ({"run": "true", "shell": "/no/such/shell"}, "failed", "cannot_start", "/no/such/shell"),
    ({"run": "true", "shell": "/etc/passwd"}, "failed", "permission_denied", "/etc/passwd"),
    ({"run": "exit 77"}, "failed", "", "exit 77"),
    ({"run": "kill -9 $$"}, "failed", "", "SIGKILL"),
]


def test_each_way_to_fail_has_its_code_and_its_words_on_the_command_line(
    shared_server: RunningServer, shared_agent: RunningAgent, processes: Processes
) -> None:
    steps = [{**step, "on_failure": "continue"} for step, *_ in ENDS]
    shown = run(shared_server, *steps)
    assert (shown["state"], shown["warnings"]) == ("succeeded", len(ENDS))
    env = {"PLUMBER_URL": shared_server.url, "PLUMBER_TOKEN": shared_server.token, "COLUMNS": "200"}
    cli = processes.start("cli", [PROGRAMS / "plumber", "execution", "show", shown["id"]], **env)
    assert cli.wait() == 0
    lines = [line for line in cli.output().splitlines() if line.startswith("s")]
    for number, (_, state, code, words) in enumerate(ENDS):
        attempt = only_attempt(shown, number)
        assert (shown["steps"][number]["state"], attempt["error"] or "") == (state, code)
        assert words in next(line for line in lines if line.startswith(f"s{number} "))


def test_a_timeout_ends_the_whole_tree_too(
    shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    step = {"run": TREE.replace("{more}", ""), "path": str(tmp_path), "timeout": "500ms", "grace": "100ms"}
    shown = run(shared_server, step)
    pids = [int(wait_for_file(tmp_path / name)) for name in ("main", "child")]
    wait_until_sync(lambda: not any(map(alive, pids)), what="the whole tree to be dead")
    assert (shown["state"], only_attempt(shown)["error"]) == ("failed", "timeout")


def test_what_waits_for_its_agent_is_cancelled_at_once(
    shared_server: RunningServer, shared_agent: RunningAgent
) -> None:
    shared_agent.process.stop()
    execution = start(shared_server, "echo never")
    shared_server.call("execution.cancel", execution=execution)
    shown = ended(shared_server, execution)
    assert (shown["state"], shown["steps"][0]["attempts"]) == ("cancelled", [])


def test_a_cancel_with_kill_does_not_ask(
    shared_server: RunningServer, shared_agent: RunningAgent, tmp_path: Path
) -> None:
    tree = Tree(shared_server, tmp_path, more="; exit 5", grace="10m")
    tree.cancel(kill=True)
    assert tree.ended()["signal"] == 9
    assert not (tmp_path / "asked").exists()
