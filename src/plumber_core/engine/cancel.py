"""Cancel an execution: what waits ends now, what runs is asked to end, a second time killed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.core import Engine
from plumber_core.engine.finish import Ending, finish
from plumber_core.engine.retention import missing
from plumber_core.errors import Conflict
from plumber_core.model.asked import EVERYTHING
from plumber_core.model.limits import OUT_OF_TIME
from plumber_core.model.plan import Plan
from plumber_core.model.records import StepRow, Term
from plumber_core.model.states import Actor, StepState
from plumber_core.protocol.messages import Cancel
from plumber_core.reasons import because


async def cancel_out_of_time(engine: Engine, execution: str, term: Term) -> None:
    """Cancel an execution whose time is over: it has failed."""
    if (found := await engine.store.load(execution)) is not None:
        problem = {"code": OUT_OF_TIME, "arguments": {"timeout": found[1].timeout}}
        await cancel_because(engine, execution, problem, term)


async def cancel_because(engine: Engine, execution: str, problem: dict[str, Any], term: Term | None = None) -> None:
    """Cancel an execution that nobody has asked to end yet, for a reason."""
    found = await engine.store.load(execution)
    if found is None or found[0].cancel_requested:
        return
    live = await engine.store.cancel(execution, False, problem, term)
    await _after(engine, execution, found[1], live or (), kill=False)


async def cancel(engine: Engine, execution: str, *, kill: bool) -> None:
    """Cancel an execution.

    Raises: NotFound, Gone, Conflict (it has ended), Unavailable.
    """
    found = await engine.store.load(execution)
    if found is None:
        raise await missing(engine, "execution", execution)
    kill = kill or found[0].cancel_requested
    live = await engine.store.cancel(execution, kill)
    if live is None:
        engine.executions.forget(execution)
        raise Conflict(reason=because("already_ended", state=found[0].state.value))
    await _after(engine, execution, found[1], live, kill=kill)


async def _after(engine: Engine, execution: str, plan: Plan, live: Sequence[StepRow], *, kill: bool) -> None:
    engine.executions.forget(execution)
    if plan.holds:
        engine.ask({EVERYTHING})
    for step in live:
        await _tell(engine, step, kill=kill)
    engine.wakeups.changed(execution)


async def _tell(engine: Engine, step: StepRow, *, kill: bool) -> None:
    assert step.attempt_id is not None
    fleet = await engine.fleet.fresh_enough()
    row = fleet.rows.get(step.agent_id)
    if row is not None and row.original:
        # The original's agent knows no cancel: what it runs ends by itself, and is not waited for.
        outcome = {"state": "unknown", "error": "cannot_cancel"}
        ref = AttemptRef.parse(step.attempt_id)
        await finish(engine, Ending(ref, step.agent_id, StepState.LOST, Actor.USER, outcome, reported=False))
    elif (connection := engine.connections.get(step.agent_id)) is not None:
        connection.cancel(Cancel(step.attempt_id, kill=kill), step.attempt_id, kill=kill)
    else:
        engine.wakeups.agent(step.agent_id)
