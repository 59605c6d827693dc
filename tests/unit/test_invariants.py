"""The checker of fault tests finds each broken promise: a history passes whole, and not with one thing wrong in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from plumber_core.protocol.frames import STDOUT, encode_frame
from support.history import Attempt, History, Step
from support.invariants import unchanged, violations
from support.witness import Run, Witness, read_runs

EXECUTION = "01900000-0000-7000-8000-000000000001"
FIRST, SECOND = f"{EXECUTION}-0-0-0", f"{EXECUTION}-1-0-0"
ONE, TWO, AGAIN = f"{FIRST}-1-aaaaaaaa", f"{SECOND}-1-bbbbbbbb", f"{FIRST}-2-cccccccc"


def history() -> History:
    """Two steps that follow each other, both with success."""
    witness = Witness(Path("none"), lines=2)
    steps = [Step(id, EXECUTION, n, 0, n, "succeeded", one, 200 + 200 * n) for n, (id, one) in enumerate(STEPS)]
    attempts = [attempt(witness, one, step) for step, one in STEPS]
    runs = {ONE: Run([100], [(150, 0)]), TWO: Run([300], [(350, 0)])}
    moves = {step: ["running", "succeeded"] for step, _ in STEPS}
    return History({s.id: s for s in steps}, {a.id: a for a in attempts}, moves, runs, witness, {ONE: {}, TWO: {}})


STEPS = ((FIRST, ONE), (SECOND, TWO))


def attempt(witness: Witness, id: str, step: str) -> Attempt:
    log = encode_frame(STDOUT, 1, witness.expected(id))
    return Attempt(id, step, 90, 400, "succeeded", 0, None, len(log), len(log), "verified", None, log)


def test_a_whole_history_has_no_violation() -> None:
    assert violations(history()) == violations(history(), retried=True) == []


def run_twice(broken: History) -> None:
    broken.runs[ONE].begun.append(120)


def run_another_attempt(broken: History) -> None:
    broken.runs[AGAIN] = Run([160], [(170, 0)])


def lie_about_the_exit(broken: History) -> None:
    broken.attempts[ONE].exit_code = 3


def succeed_without_an_end(broken: History) -> None:
    broken.runs[TWO].ended.clear()


def lie_late(broken: History) -> None:
    broken.attempts[ONE].late = {"exit_code": 9}


def forget_an_exit(broken: History) -> None:
    broken.exits[f"{SECOND}-2-dddddddd"] = {}


def tear_the_log(broken: History) -> None:
    broken.attempts[ONE].gap = 10


def cut_the_log(broken: History) -> None:
    one = broken.attempts[ONE]
    one.log = encode_frame(STDOUT, 1, broken.witness.expected(ONE)[:-5])
    one.log_end = len(one.log)


def change_the_log(broken: History) -> None:
    one = broken.attempts[ONE]
    one.log = encode_frame(STDOUT, 1, broken.witness.expected(TWO))


def revive(broken: History) -> None:
    broken.moves[FIRST].append("running")


def never_end(broken: History) -> None:
    broken.steps[SECOND].state = "running"


def begin_after_the_end(broken: History) -> None:
    broken.runs[ONE].begun[0] = 250


def begin_too_soon(broken: History) -> None:
    broken.runs[TWO].begun[0] = 180


@pytest.mark.parametrize(
    ("breaks", "rule"),
    [
        (run_twice, "one_run_an_attempt"),
        (run_another_attempt, "one_run_a_step"),
        (lie_about_the_exit, "outcomes_are_true"),
        (succeed_without_an_end, "outcomes_are_true"),
        (lie_late, "outcomes_are_true"),
        (forget_an_exit, "exits_are_recorded"),
        (tear_the_log, "logs_are_whole"),
        (cut_the_log, "logs_are_whole"),
        (change_the_log, "logs_are_whole"),
        (revive, "only_known_moves"),
        (never_end, "everything_ends"),
        (begin_after_the_end, "nothing_begins_after_the_end"),
        (begin_too_soon, "order_is_kept"),
    ],
)
def test_each_broken_promise_is_found(breaks: Callable[[History], None], rule: str) -> None:
    broken = history()
    breaks(broken)
    assert rule in {found.partition(":")[0] for found in violations(broken)}


def test_with_leave_to_try_again_only_an_overlap_is_a_violation() -> None:
    retried = history()
    retried.runs[AGAIN] = Run([160], [(170, 0)])
    assert violations(retried, retried=True) == []
    retried.runs[AGAIN] = Run([140], [(170, 0)])
    assert [found.partition(":")[0] for found in violations(retried, retried=True)] == ["no_overlap"]


def test_an_ended_row_that_changes_or_goes_is_found() -> None:
    assert unchanged({"a": (1, 2)}, {"a": (1, 2), "b": (3,)}) == []
    assert len(unchanged({"a": (1, 2), "b": (3,)}, {"a": (1, 3)})) == 2


def test_witnesses_are_read_as_their_steps_write_them() -> None:
    found = read_runs([f"{ONE} begin 5000 77", f"{TWO} begin 6000 78", f"{ONE} end 9000 3"])
    assert found == {ONE: Run([5], [(9, 3)]), TWO: Run([6], [])}
