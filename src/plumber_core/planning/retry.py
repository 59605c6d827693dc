"""Whether a step is tried again, and when: a pure function of its policy and of how the attempt ended."""

from __future__ import annotations

from dataclasses import dataclass

from plumber_core.model import limits
from plumber_core.model.plan import PlanStep, RetryPolicy
from plumber_core.model.records import NextTry
from plumber_core.model.states import StepState


@dataclass(frozen=True, slots=True)
class Failure:
    """How an attempt ended, after ``retries`` others of the same step.

    ``proven`` says that an agent has shown, on the boot that ran it, that nothing of it runs any more.
    """

    state: StepState
    retries: int
    exit_code: int | None = None
    proven: bool = False


def next_try(step: PlanStep, failure: Failure, draw: float) -> NextTry | None:
    """Return when the step is tried again, None when it is not.

    Args:
        step: as planned.
        failure: how its last attempt ended.
        draw: a number from 0 to 1 that spreads the delay by the policy's jitter.
    """
    policy = step.retry
    if policy is None or failure.state not in policy.on or failure.retries + 1 >= policy.attempts:
        return None
    if failure.state is StepState.FAILED and policy.exit_codes and failure.exit_code not in policy.exit_codes:
        return None
    return NextTry(_delay(policy, failure.retries, draw), _silence(step, failure))


def _delay(policy: RetryPolicy, retries: int, draw: float) -> float:
    """A large number of retries must not overflow: the exponent stops where any delay has reached its limit."""
    grown = policy.delay * policy.backoff ** min(retries, 64)
    spread = 1 + policy.jitter * (2 * draw - 1)
    return min(grown, policy.max_delay) * spread


def _silence(step: PlanStep, failure: Failure) -> float:
    """A silent agent may still run the last attempt, until it has to end it by itself."""
    if failure.state is not StepState.LOST or failure.proven or step.stop_after is None:
        return 0.0
    return step.stop_after * limits.CLOCK_DRIFT + limits.STOP_MARGIN
