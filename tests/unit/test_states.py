"""The transition tables."""

from __future__ import annotations

from itertools import product

from plumber_core.model.states import (
    AGENT_EDGES,
    EXECUTION_EDGES,
    LIVE_STEP_STATES,
    STEP_EDGES,
    TERMINAL_STEP_STATES,
    WAITING_STEP_STATES,
    Actor,
    AgentState,
    StepState,
    may_step,
)


def test_every_state_is_waiting_live_or_terminal_and_only_one_of_them() -> None:
    groups = (WAITING_STEP_STATES, LIVE_STEP_STATES, TERMINAL_STEP_STATES)
    assert all(sum(state in group for group in groups) == 1 for state in StepState)


def test_what_has_ended_stays_as_it_ended() -> None:
    assert {edge for edge in STEP_EDGES if edge[0] in TERMINAL_STEP_STATES} == set()


def test_an_agent_can_never_start_or_end_what_was_not_handed_out() -> None:
    for source, target in product(WAITING_STEP_STATES, StepState):
        assert not may_step(source, target, Actor.AGENT) or target is StepState.CLAIMED


def test_silence_is_never_failure() -> None:
    reaped = {edge for edge, actors in STEP_EDGES.items() if Actor.REAPER in actors}
    assert StepState.FAILED not in {target for _, target in reaped}
    assert {source for source, target in reaped if target is StepState.UNREACHABLE} == {
        StepState.RUNNING,
        StepState.CANCELLING,
    }


def test_every_state_can_be_reached_and_left() -> None:
    reached = {target for _, target in STEP_EDGES} | {StepState.BLOCKED}
    assert reached == set(StepState)
    assert {source for source, _ in STEP_EDGES} >= WAITING_STEP_STATES | LIVE_STEP_STATES


def test_a_revoked_agent_stays_revoked_and_success_is_final() -> None:
    assert not any(source is AgentState.REVOKED for source, _ in AGENT_EDGES)
    assert not any(source.value == "succeeded" for source, _ in EXECUTION_EDGES)
