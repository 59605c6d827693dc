"""Rollouts as the API shows them: pure functions of a plan, its counters, and how many steps stand in which state."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from plumber_core.engine.clock import moment
from plumber_core.model.plan import Pause, Plan
from plumber_core.model.records import Progress, StepRow
from plumber_core.model.rollout_views import BatchState, BatchView, PlannedBatch, PlannedRollout, RolloutView
from plumber_core.model.states import TERMINAL_STEP_STATES, StepState
from plumber_core.planning.limits import most_failed

StageCounts = Mapping[int, Counter[StepState]]
"""Stage -> how many of its step executions are in which state."""
Waits = Mapping[int, dict[str, Any]]
"""Stage of a rollout whose turn has not come -> why, as a code with arguments."""
NAMES = 50
_Whole = Literal["blocked", "running", "ended", "skipped"]


def count_stages(steps: Sequence[StepRow]) -> dict[int, Counter[StepState]]:
    """Count step executions by stage and state."""
    counts: dict[int, Counter[StepState]] = {}
    for step in steps:
        counts.setdefault(step.stage, Counter())[step.state] += 1
    return counts


def rollouts_of(plan: Plan, progress: Sequence[Progress], counts: StageCounts) -> list[RolloutView]:
    """Show every rollout of a plan, batch by batch."""
    return [_rollout(plan, progress, counts, stages) for stages in _rollouts(plan)]


def waits_of(plan: Plan, progress: Sequence[Progress], counts: StageCounts) -> Waits:
    """Return why stages of the rollout that is under way have not begun."""
    waits: dict[int, dict[str, Any]] = {}
    for stages in _rollouts(plan):
        current = next((stage for stage in stages if _whole(counts, stage) in ("running", "blocked")), None)
        if current is None or (stages[0] == current and _whole(counts, current) == "blocked"):
            continue
        for stage in range(current, stages[-1] + 1):
            if _whole(counts, stage) == "blocked":
                waits[stage] = _why(plan, progress[current], stage)
    return waits


def _why(plan: Plan, current: Progress, stage: int) -> dict[str, Any]:
    batch, runs = plan.stages[stage].batch, plan.stages[current.stage].batch
    assert batch is not None and runs is not None
    place = {"block": batch.block, "batches": batch.count}
    if (waiting := waiting_of(plan, current)) is not None:
        return waiting
    if runs.gate:
        return {"code": "batch_gate", **place, "batch": runs.number}
    return {"code": "batch_turn", **place, "batch": batch.number, "current": runs.number}


def waiting_of(plan: Plan, current: Progress) -> dict[str, Any] | None:
    """Return for what a stage waits before it begins; None if it does not."""
    batch = plan.stages[current.stage].batch
    if batch is None or not current.pauses:
        return None
    place = {"block": batch.block, "batches": batch.count, "batch": batch.after}
    if current.opens_at is None:
        return {"code": "batch_go", **place}
    return {"code": "batch_pause", **place, "until": moment(current.opens_at).isoformat()}


def _rollouts(plan: Plan) -> list[range]:
    """Return the indexes of each rollout's stages."""
    found: list[range] = []
    for number, stage in enumerate(plan.stages):
        if stage.batch is None:
            continue
        if stage.batch.begins:
            found.append(range(number, number + 1))
        else:
            found[-1] = range(found[-1].start, number + 1)
    return found


def _whole(counts: StageCounts, stage: int) -> _Whole:
    states = {state for state, count in counts.get(stage, Counter()).items() if count}
    if states <= {StepState.SKIPPED, StepState.CANCELLED}:
        return "skipped"
    if states <= {StepState.BLOCKED, StepState.SKIPPED}:
        # Of a gate those are skipped before whose batch they have fallen out of.
        return "blocked"
    return "ended" if states <= TERMINAL_STEP_STATES else "running"


@dataclass(frozen=True)
class _Part:
    """A batch or its gate."""

    whole: _Whole
    waits: bool
    failed: int
    stopped: bool


def _rollout(plan: Plan, progress: Sequence[Progress], counts: StageCounts, stages: range) -> RolloutView:
    first = plan.stages[stages[0]].batch
    assert first is not None
    batches: list[BatchView] = []
    for number in stages:
        stage, one = plan.stages[number], progress[number]
        assert stage.batch is not None
        stopped = one.failed > most_failed(stage, one.carried)
        part = _Part(_whole(counts, number), one.pauses, one.failed, stopped)
        if stage.batch.gate:
            batches[-1] = batches[-1].model_copy(update={"state": _with_gate(batches[-1].state, part)})
        else:
            shown = _state(part)
            batches.append(BatchView(number=stage.batch.number, hosts=len(stage.hosts), failed=one.failed, state=shown))
    waiting = next((found for n in stages if (found := waiting_of(plan, progress[n])) is not None), None)
    return RolloutView(block=first.block, batches=batches, waiting=waiting)


def _state(part: _Part) -> BatchState:
    if part.waits:
        return "waiting"
    if part.stopped:
        # Hosts in flight may still go through their steps.
        return "stopped"
    return "passed" if part.whole == "ended" else part.whole


def _with_gate(batch: BatchState, gate: _Part) -> BatchState:
    if batch != "passed":
        return batch
    if gate.waits:
        return "waiting"
    if gate.whole in ("blocked", "running"):
        return "gate"
    return "stopped" if gate.stopped else "passed"


def planned_rollouts(plan: Plan) -> list[PlannedRollout]:
    """Show how blocks would spread over their hosts."""
    return [_planned(plan, stages) for stages in _rollouts(plan)]


def _planned(plan: Plan, stages: range) -> PlannedRollout:
    first, batches = plan.stages[stages[0]], []
    gates: set[int] = set()
    pauses: list[Pause | None] = [None]
    assert first.batch is not None
    for number in stages:
        stage = plan.stages[number]
        assert stage.batch is not None
        if stage.batch.pause is not None:
            pauses.append(stage.batch.pause)
        if stage.batch.gate:
            gates.update(stage.chain)
            continue
        names = [plan.hosts.get(host, host) for host in stage.hosts[:NAMES]]
        shown = PlannedBatch(
            number=stage.batch.number, hosts=len(stage.hosts), names=names, most_failed=stage.batch.most_failed
        )
        batches.append(shown)
    return PlannedRollout(
        block=first.batch.block,
        steps=list(first.chain),
        gates=sorted(gates),
        pause=pauses[-1],
        most_failed=first.batch.most_in_all,
        batches=batches,
    )
