"""The link dies in the middle of a step: the command goes on, and its whole story is told by the next link."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.api import attempt_of, ended, only_attempt, raw_log, start, wait_until_complete, wait_until_printed
from support.counting import Counting
from support.programs import RunningAgent, RunningServer
from support.supervised import alive


@pytest.fixture
def counting(tmp_path: Path) -> Counting:
    return Counting(tmp_path / "counting", code=7)


def begun(server: RunningServer, counting: Counting) -> str:
    """Start the command, wait until the server has some of its output, and return the execution's id."""
    execution = start(server, counting.step)
    wait_until_printed(server, attempt_of(server, execution), b"line 20\n")
    return execution


def wait_until_heard(server: RunningServer, execution: str, counting: Counting) -> None:
    """Wait until the server has what the command has printed up to now."""
    wait_until_printed(server, attempt_of(server, execution), b"line %d\n" % counting.lines_so_far())


def assert_told_once_and_whole(server: RunningServer, execution: str, counting: Counting) -> None:
    shown = ended(server, execution)
    attempt = only_attempt(shown)
    assert (shown["state"], attempt["state"], attempt["exit_code"]) == ("failed", "failed", 7)
    assert len(counting.starts()) == 1
    wait_until_complete(server, attempt["id"])
    assert raw_log(server, attempt["id"]) == counting.expected("line")
    assert raw_log(server, attempt["id"], "stderr") == counting.expected("error")


@pytest.mark.row(7)
def test_the_same_process_goes_on_under_the_next_link(
    shared_server: RunningServer, shared_agent: RunningAgent, counting: Counting
) -> None:
    execution = begun(shared_server, counting)
    shared_agent.process.kill()
    counting.wait_for_more()
    shared_agent.restart()
    wait_until_heard(shared_server, execution, counting)
    [pid] = counting.starts()
    assert alive(int(pid))
    counting.stop()
    assert_told_once_and_whole(shared_server, execution, counting)


def test_what_ended_without_a_link_is_told_by_the_next_one(
    shared_server: RunningServer, shared_agent: RunningAgent, counting: Counting
) -> None:
    execution = begun(shared_server, counting)
    shared_agent.process.kill()
    counting.stop()
    counting.wait_for_end()
    shared_agent.restart()
    assert_told_once_and_whole(shared_server, execution, counting)


@pytest.mark.row(7)
def test_a_link_killed_again_and_again_loses_and_repeats_nothing(
    shared_server: RunningServer, shared_agent: RunningAgent, counting: Counting
) -> None:
    execution = begun(shared_server, counting)
    for _ in range(3):
        shared_agent.process.kill()
        counting.wait_for_more(5)
        shared_agent.restart()
        wait_until_heard(shared_server, execution, counting)
    counting.stop()
    assert_told_once_and_whole(shared_server, execution, counting)


def test_a_link_that_is_asked_to_stop_leaves_the_command_to_the_next_one(
    shared_server: RunningServer, shared_agent: RunningAgent, counting: Counting
) -> None:
    execution = begun(shared_server, counting)
    assert shared_agent.process.stop() == 0
    counting.wait_for_more()
    shared_agent.restart()
    counting.stop()
    assert_told_once_and_whole(shared_server, execution, counting)
