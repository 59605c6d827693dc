"""Cancel an execution: what waits ends now, what runs is asked to end, a second time killed."""

from __future__ import annotations

from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.caches import OUT_OF_TIME
from plumber_core.engine.core import Engine
from plumber_core.engine.finish import Ending, finish
from plumber_core.engine.retention import missing
from plumber_core.errors import Conflict
from plumber_core.model.records import StepRow, Term
from plumber_core.model.states import Actor, StepState
from plumber_core.protocol.messages import Cancel
from plumber_core.reasons import because


async def cancel_out_of_time(engine: Engine, execution: str, term: Term) -> None:
    """Cancel an execution whose time is over: it has failed."""
    found = await engine.store.load(execution)
    if found is None:
        return
    problem = {"code": OUT_OF_TIME, "arguments": {"timeout": found[1].timeout}}
    live = await engine.store.cancel(execution, False, problem, term)
    engine.executions.forget(execution)
    for step in live or ():
        await _tell(engine, step, kill=False)
    engine.wakeups.changed(execution)


async def cancel(engine: Engine, execution: str, *, kill: bool) -> None:
    """Cancel an execution.

    Raises: NotFound, Gone, Conflict (it has ended), Unavailable.
    """
    found = await engine.store.load(execution)
    if found is None:
        raise await missing(engine, "execution", execution)
    kill = kill or found[0].cancel_requested
    live = await engine.store.cancel(execution, kill)
    engine.executions.forget(execution)
    if live is None:
        raise Conflict(reason=because("already_ended", state=found[0].state.value))
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
