from __future__ import annotations

import signal
from types import SimpleNamespace
from typing import Any, cast

import pytest

from plumber_core.runner.attempt import DRAIN, FOREVER, Running


def running(**command: Any) -> Running:
    run = Running("a", command, cast(Any, SimpleNamespace(blocked=False)))
    run.begin(pid=7, started=100.0)
    return run


def test_nothing_is_due_without_limits() -> None:
    run = running()
    assert run.overdue(1e9) is None
    assert run.deadline(200.0) == FOREVER


def test_timeout_counts_from_the_start_and_silence_from_the_last_output() -> None:
    run = running(timeout=10, idle_timeout=3)
    run.last_output = 104.0
    assert run.deadline(105.0) == 107.0
    assert run.overdue(106.9) is None
    assert run.overdue(107.0) == "idle_timeout"
    assert run.overdue(110.0) == "timeout"


def test_silence_does_not_count_while_nobody_reads() -> None:
    run = running(idle_timeout=3)
    run.stalled = True
    assert run.overdue(1000.0) is None
    assert run.deadline(1000.0) == FOREVER


def test_the_first_reason_to_end_stays_and_the_kill_only_comes_nearer() -> None:
    run = running(timeout=10)
    run.tell_to_end("timed_out", "timeout", 120.0)
    run.tell_to_end("cancelled", None, 130.0)
    assert run.kill_at == 120.0
    run.tell_to_end("cancelled", None, 111.0)
    assert (run.ending, run.error, run.detail, run.kill_at) == ("timed_out", "timeout", "10 s", 111.0)


def test_output_is_awaited_for_a_while_but_what_was_written_before_the_end_always() -> None:
    run = running()
    run.pipes = {3: 1}
    run.reaped(0, 101.0, owed=5)
    assert not run.drained(101.0 + DRAIN)
    run.owed = 0
    assert not run.drained(101.5)
    assert run.drained(101.0 + DRAIN)
    cast(Any, run.log).blocked = True
    assert not run.drained(FOREVER)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(0, ("succeeded", 0, None)), (3 << 8, ("failed", 3, None)), (signal.SIGSEGV | 0x80, ("failed", None, 11))],
)
def test_the_result_tells_code_and_signal_apart(status: int, expected: tuple[Any, ...]) -> None:
    run = running()
    run.reaped(status, 102.5, owed=0)
    result = run.result()
    assert (result["state"], result["exit_code"], result["signal"]) == expected
    assert result["duration"] == 2.5


def test_stop_after_counts_from_the_newest_renewal() -> None:
    run = running(stop_after=12)
    run.was_renewed(103.0)
    assert run.deadline(104.0) == 115.0
    assert run.overdue(114.9) is None
    assert run.overdue(115.0) == "stop_after"
