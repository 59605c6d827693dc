"""Hosts that are offline: their steps are not waited for any longer than their task says."""

from __future__ import annotations

import contextlib
from dataclasses import replace

from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.clock import moment
from plumber_core.engine.core import Engine
from plumber_core.engine.finish import Ending, finish
from plumber_core.engine.starts import Prepared
from plumber_core.errors import NotFound, PlumberError
from plumber_core.model.absent import Absent
from plumber_core.model.plan import Plan
from plumber_core.model.states import Actor, StepState

CAUSE = "agent_offline"


async def miss_absent(engine: Engine) -> None:
    """End the steps that were waited for long enough. Any replica may do it, and twice."""
    at = engine.clock.reading(engine.steady())
    for absent in await engine.store.absent(engine.patience.lease_at(engine.heartbeat), at):
        # It was deleted, or all of it was skipped by what the last one led to.
        with contextlib.suppress(NotFound):
            await _miss(engine, absent)


def look_soon(engine: Engine, plan: Plan, prepared: Prepared) -> None:
    """Some of what was just set going waits: look at once whether its hosts are there at all."""
    if prepared.waiting and plan.offline is not None and plan.offline.patience == 0:
        engine.spawn(_look(engine), "absence")


async def _look(engine: Engine) -> None:
    with contextlib.suppress(PlumberError):
        await miss_absent(engine)


async def _miss(engine: Engine, absent: Absent) -> None:
    step = absent.step
    plan = (await engine.executions.get(step.execution_id)).plan
    batch = plan.stages[plan.stage_of(step.step, step.lane)].batch
    gate = batch is not None and batch.gate
    # A gate that was not asked has not agreed.
    skipped = plan.offline is not None and plan.offline.policy == "skip" and not gate
    state, actor = (StepState.SKIPPED, Actor.SERVER) if skipped else (StepState.EXPIRED, Actor.REAPER)
    since = moment(absent.heard).isoformat() if absent.heard else None
    ending = Ending(
        replace(AttemptRef.of_step(step), attempt=""),
        step.agent_id,
        state,
        actor,
        {"state": state.value, "error": CAUSE},
        reported=False,
        heard=absent.heard,
        cause={"code": "missed", "since": since} if since else {"code": "missed_never"},
    )
    await finish(engine, ending)
