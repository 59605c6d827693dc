"""When a step is tried again: a pure function."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plumber_core.model.plan import PlanStep, RetryPolicy
from plumber_core.model.states import StepState
from plumber_core.planning.retry import Failure, next_try


def step(stop_after: float | None = None, idempotent: bool = False, **changes: Any) -> PlanStep:
    values: dict[str, Any] = {
        "attempts": 3,
        "delay": 2.0,
        "backoff": 1.0,
        "max_delay": 3600.0,
        "jitter": 0.0,
        "on": ("failed", "timed_out"),
        "exit_codes": (),
    }
    retry = RetryPolicy(**{**values, **changes})
    return PlanStep("a", "shell", retry=retry, stop_after=stop_after, idempotent=idempotent)


def delays(planned: PlanStep, state: StepState = StepState.FAILED, draw: float = 0.5) -> list[float]:
    found = []
    while (following := next_try(planned, Failure(state, len(found)), draw)) is not None:
        found.append(following.delay)
    return found


def test_attempts_counts_the_first_one_too() -> None:
    assert delays(step()) == [2.0, 2.0]
    assert delays(step(attempts=1)) == []


def test_backoff_lengthens_each_delay_up_to_the_longest() -> None:
    assert delays(step(attempts=6, backoff=2.0, max_delay=10.0)) == [2.0, 4.0, 8.0, 10.0, 10.0]


def test_a_backoff_over_thousands_of_attempts_does_not_overflow() -> None:
    planned = step(attempts=1000, backoff=100.0)
    assert next_try(planned, Failure(StepState.FAILED, 998), 0.5) is not None


@given(draw=st.floats(0, 1), retries=st.integers(0, 50))
def test_jitter_stays_within_its_share(draw: float, retries: int) -> None:
    following = next_try(step(attempts=99, jitter=0.25), Failure(StepState.FAILED, retries), draw)
    assert following is not None
    assert 1.5 <= following.delay <= 2.5


def test_only_the_named_ends_and_exit_codes_are_tried_again() -> None:
    assert delays(step(), StepState.TIMED_OUT) != []
    assert delays(step(on=("timed_out",))) == []
    assert delays(step(), StepState.LOST) == []
    busy = step(exit_codes=(75,))
    assert next_try(busy, Failure(StepState.FAILED, 0, exit_code=1), 0.5) is None
    assert next_try(busy, Failure(StepState.FAILED, 0, exit_code=75), 0.5) is not None
    assert next_try(busy, Failure(StepState.TIMED_OUT, 0), 0.5) is not None


def test_a_step_without_a_policy_is_started_at_most_once() -> None:
    assert next_try(PlanStep("a", "shell"), Failure(StepState.FAILED, 0), 0.5) is None


@pytest.mark.parametrize(("proven", "silence"), [(False, 60 * 1.05 + 5), (True, 0.0)])
def test_after_a_loss_the_agent_gets_the_time_to_end_the_command_by_itself(proven: bool, silence: float) -> None:
    planned = step(stop_after=60.0, on=("lost",))
    following = next_try(planned, Failure(StepState.LOST, 0, proven=proven), 0.5)
    assert following is not None
    assert (following.delay, following.silence) == (2.0, silence)


def test_an_idempotent_step_needs_no_such_time() -> None:
    following = next_try(step(idempotent=True, on=("lost",)), Failure(StepState.LOST, 0), 0.5)
    assert following is not None
    assert following.silence == 0.0
