"""A failing seed is made small: what is left still fails in the same way, and nothing fails without the defect."""

from __future__ import annotations

import dataclasses

import pytest

from plumber_core.runner import recovery
from plumber_core.runner.journal import Record
from plumber_core.runner.ledger import Entry
from plumber_core.testing.simulator.faults import KINDS
from plumber_core.testing.simulator.seeds import TRIES, shrink, try_plan
from plumber_core.testing.simulator.simulation import Plan

DEADLY = {"supervisor_kill", "reboot", "crash_point"}
"""The faults that end a supervisor: without one of them the planted defect cannot show."""


def planted(entry: Entry, boot: str) -> Record:
    """What a supervisor left behind is taken for proof that nothing ran."""
    return {"attempt": entry.attempt, "kind": "void", "boot": boot, "end": entry.end}


def first_failure(seeds: range) -> tuple[Plan, str]:
    for seed in seeds:
        if broken := try_plan(Plan(seed)).broken:
            return Plan(seed), broken
    raise AssertionError("the planted defect was not found")


def test_a_failing_plan_shrinks_to_what_it_needs_and_still_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as defect:
        defect.setattr(recovery, "_end_of", planted)
        plan, broken = first_failure(range(13, 200))
        assert broken != "I0", "what is planted is a wrong rule and no crash"
        smallest = shrink(plan, broken)
        assert try_plan(smallest).broken == broken
        left = KINDS.keys() - smallest.without
        assert left & DEADLY and len(left) <= 4, smallest
        assert smallest.executions - len(smallest.skip) + smallest.agents < plan.executions + plan.agents - 1, smallest
        for kind in left & DEADLY:
            assert try_plan(dataclasses.replace(smallest, without=smallest.without | {kind})).broken != broken
    assert try_plan(smallest).broken is None


def test_what_fails_no_more_stays_as_it_is() -> None:
    plan = Plan(1)
    assert shrink(plan, "I1") == plan
    assert len(KINDS) + plan.executions + plan.agents < TRIES, "each kind can be left out within the tries"
