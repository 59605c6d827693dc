"""Cancel an execution: what waits ends now, what runs is asked to end, a second time killed; what always runs follows,
and is ended by a cancel of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.core import Engine
from plumber_core.engine.finish import Ending, finish
from plumber_core.engine.retention import missing
from plumber_core.engine.turns import take_turns_soon
from plumber_core.errors import Conflict
from plumber_core.model.asked import EVERYTHING
from plumber_core.model.limits import ALWAYS_OUT_OF_TIME, OUT_OF_TIME
from plumber_core.model.plan import Plan
from plumber_core.model.records import ExecutionRow, StepRow, Term
from plumber_core.model.states import Actor, ExecutionState, StepState
from plumber_core.model.turns import CancelScope
from plumber_core.planning.graph import patience_with_always
from plumber_core.protocol.messages import Cancel
from plumber_core.reasons import because


async def cancel_out_of_time(engine: Engine, execution: str, term: Term) -> None:
    """Cancel an execution whose time is over: it has failed."""
    if (found := await engine.store.load(execution)) is None:
        return
    row, plan, _ = found
    problem: dict[str, Any] = {"code": OUT_OF_TIME, "arguments": {"timeout": plan.timeout}}
    if row.main_state is not None:
        problem = {"code": ALWAYS_OUT_OF_TIME, "arguments": {"timeout": patience_with_always(plan)}}
    await cancel_because(engine, execution, problem, term)


async def cancel_because(engine: Engine, execution: str, problem: dict[str, Any], term: Term | None = None) -> None:
    """Cancel an execution that nobody has asked to end yet, for a reason."""
    found = await engine.store.load(execution)
    if found is None or (found[0].cancel_requested and found[0].main_state is None):
        return
    row, plan, _ = found
    live = await engine.store.cancel(execution, False, problem, term, _scope(row, plan))
    await _after(engine, execution, plan, live or (), kill=False)


async def cancel(engine: Engine, execution: str, *, kill: bool) -> None:
    """Cancel an execution.

    Raises: NotFound, Gone, Conflict (it has ended), Unavailable.
    """
    found = await engine.store.load(execution)
    if found is None:
        raise await missing(engine, "execution", execution)
    row, plan, _ = found
    kill = kill or row.cancel_requested
    live = await engine.store.cancel(execution, kill, scope=_scope(row, plan))
    if live is None:
        engine.executions.forget(execution)
        raise Conflict(reason=because("already_ended", state=row.state.value))
    await _after(engine, execution, plan, live, kill=kill)


def _scope(row: ExecutionRow, plan: Plan) -> CancelScope | None:
    """Say what a cancel ends: steps that always run only when all others have ended, and only if anything has begun."""
    if not plan.parts or row.state is ExecutionState.QUEUED:
        return None
    always = row.main_state is not None
    stop = len(plan.stages) if always else plan.always_from
    touched = [part for part in plan.parts if part.stages and part.stop <= stop]
    return CancelScope(stop, tuple((part.first, part.stop) for part in touched), always)


async def _after(engine: Engine, execution: str, plan: Plan, live: Sequence[StepRow], *, kill: bool) -> None:
    engine.executions.forget(execution)
    if plan.holds:
        engine.ask({EVERYTHING})
    for step in live:
        await tell(engine, step, kill=kill)
    if plan.parts and not live:
        await take_turns_soon(engine, execution)
    if plan.parts and not live:
        await take_turns_soon(engine, execution)
    engine.wakeups.changed(execution)


async def tell(engine: Engine, step: StepRow, *, kill: bool) -> None:
    """Have the agent of a step end it."""
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
