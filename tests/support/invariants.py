"""The checker: what must hold whatever was killed, cut or frozen. Each rule returns its violations as sentences."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from plumber_core.model.states import STEP_EDGES, TERMINAL_STEP_STATES, StepState
from plumber_core.protocol.frames import STDOUT, decode_frames
from support.history import Attempt, History

Rule = Callable[[History], Iterator[str]]
REPORTED = {"succeeded", "failed", "timed_out", "cancelled"}


def violations(history: History, *, retried: bool = False) -> list[str]:
    """Return every broken invariant. ``retried`` says that steps may have been started more than once, by opt-in."""
    rules: list[Rule] = [*RULES, no_overlap if retried else one_run_a_step]
    return [f"{rule.__name__}: {sentence}" for rule in rules for sentence in rule(history)]


def unchanged(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return which ended rows have changed or gone (I12)."""
    return [f"{id}: {row} became {now.get(id)}" for id, row in before.items() if now.get(id) != row]


def one_run_an_attempt(history: History) -> Iterator[str]:
    """I1: no attempt's command was started twice."""
    for attempt, run in history.runs.items():
        if len(run.begun) > 1:
            yield f"{attempt} began {len(run.begun)} times"


def one_run_a_step(history: History) -> Iterator[str]:
    """I2: without retry no step was started twice, whatever the number of its attempts."""
    begun = Counter(step_of(attempt) for attempt, run in history.runs.items() if run.begun)
    yield from (f"{step} began {count} times" for step, count in begun.items() if count > 1)


def no_overlap(history: History) -> Iterator[str]:
    """I2b: of a step that was started again, each run had ended before the next began."""
    spans: dict[str, list[tuple[int, int, str]]] = defaultdict(list)
    for attempt, run in history.runs.items():
        for begun in run.begun:
            spans[step_of(attempt)].append((begun, run.ended[0][0] if run.ended else begun, attempt))
    for step, found in spans.items():
        found.sort()
        for (_, end, first), (begin, _, second) in pairwise(found):
            if begin < end:
                yield f"{step}: {second} began before {first} had ended"


def outcomes_are_true(history: History) -> Iterator[str]:
    """I3: what is recorded is what the command did, or that nobody knows."""
    for attempt in history.attempts.values():
        run = history.runs.get(attempt.id)
        code = run.ended[0][1] if run and run.ended else None
        if attempt.state in ("succeeded", "failed") and attempt.exit_code is not None and attempt.exit_code != code:
            yield f"{attempt.id} is recorded with exit {attempt.exit_code}; its command ended with {code}"
        if attempt.state == "succeeded" and code != 0:
            yield f"{attempt.id} is a success; its command ended with {code}"
        if attempt.late and attempt.late.get("exit_code") is not None and attempt.late["exit_code"] != code:
            yield f"{attempt.id} has the late exit {attempt.late['exit_code']}; its command ended with {code}"


def exits_are_recorded(history: History) -> Iterator[str]:
    """I4: every exit in a journal that survived is recorded, or stands beside as late."""
    for id in history.exits:
        attempt = history.attempts.get(id)
        if attempt is None or (attempt.state not in REPORTED and attempt.late is None):
            yield f"{id} has ended by its agent's journal, and the database does not say so"


def logs_are_whole(history: History) -> Iterator[str]:
    """I5: a log begins at 0, has no hole, and is what the command has written."""
    for attempt in history.attempts.values():
        yield from _log_of(history, attempt)


def _log_of(history: History, attempt: Attempt) -> Iterator[str]:
    if attempt.gap is not None or attempt.log_end != len(attempt.log):
        yield f"{attempt.id}: the log has a hole at {attempt.gap} (end {attempt.log_end}, bytes {len(attempt.log)})"
    if attempt.log_state == "mismatch":
        yield f"{attempt.id}: the log has not the digest that the agent computed"
    output = b"".join(frame.data for frame in decode_frames(attempt.log) if frame.stream == STDOUT)
    expected, ended = history.witness.expected(attempt.id), bool(history.runs.get(attempt.id, _NO_RUN).ended)
    if not expected.startswith(output):
        yield f"{attempt.id}: the log is not what was written: {output[:200]!r}"
    elif ended and attempt.state in REPORTED and output != expected:
        yield f"{attempt.id}: {len(output)} of {len(expected)} bytes of the log arrived"


class _NoRun:
    ended: tuple[()] = ()


_NO_RUN: Any = _NoRun()


def only_known_moves(history: History) -> Iterator[str]:
    """I6: every move that the event log tells is an edge of the table, or several that one transaction took."""
    for step, moves in history.moves.items():
        told = [StepState(state) for state in moves if state in set(StepState)]
        for before, after in pairwise(told):
            if after not in REACHABLE[before]:
                yield f"{step} went from {before} to {after}"


def everything_ends(history: History) -> Iterator[str]:
    """I7: after healing every step has ended."""
    yield from (f"{s.id} is {s.state}" for s in history.steps.values() if s.state not in set(TERMINAL_STEP_STATES))


def nothing_begins_after_the_end(history: History) -> Iterator[str]:
    """I8: no command was started when its step had ended."""
    for attempt, run in history.runs.items():
        step = history.steps.get(step_of(attempt))
        if step is None or step.ended_at is None:
            continue
        if any(begun > step.ended_at for begun in run.begun):
            yield f"{attempt} began after its step had ended as {step.state}"


def order_is_kept(history: History) -> Iterator[str]:
    """I11: a step began only after the outcomes of all that it waits for were committed."""
    by_execution = defaultdict(list)
    for step in history.steps.values():
        by_execution[step.execution].append(step)
    for attempt, run in history.runs.items():
        mine = history.steps.get(step_of(attempt))
        for other in by_execution[mine.execution] if mine and run.begun else ():
            chained = other.stage == mine.stage and other.lane == mine.lane and other.step < mine.step
            if (other.stage < mine.stage or chained) and (other.ended_at is None or other.ended_at > run.begun[0]):
                yield f"{attempt} began before {other.id} had ended"


def step_of(attempt: str) -> str:
    """Return the step execution of an attempt's id."""
    return attempt.rsplit("-", 2)[0]


def _reachable() -> dict[StepState, set[StepState]]:
    """One transaction may take several edges and tell of the last: ready and running at once, for example."""
    silent = {StepState.BLOCKED, StepState.READY, StepState.CLAIMED, StepState.RUNNING, StepState.CANCELLING}
    goals: dict[StepState, set[StepState]] = {state: {b for a, b in STEP_EDGES if a == state} for state in StepState}
    for _ in silent:
        for found in goals.values():
            found |= {goal for state in found & silent for goal in goals[state]}
    ended = set(TERMINAL_STEP_STATES)
    # A retry is told in the transaction of the end that it follows, never after an end that was told.
    return {state: set() if state in ended else found for state, found in goals.items()}


REACHABLE = _reachable()
RULES: Iterable[Rule] = (
    one_run_an_attempt,
    outcomes_are_true,
    exits_are_recorded,
    logs_are_whole,
    only_known_moves,
    everything_ends,
    nothing_begins_after_the_end,
    order_is_kept,
)
