"""Pause an execution: nothing more is started, what runs ends as it may."""

from __future__ import annotations

from plumber_core.engine.caches import ExecutionMemory
from plumber_core.engine.core import Engine
from plumber_core.engine.retention import missing
from plumber_core.errors import Conflict, Unavailable
from plumber_core.model.asked import EVERYTHING
from plumber_core.model.pausing import Pausing
from plumber_core.model.states import TERMINAL_EXECUTION_STATES, ExecutionState
from plumber_core.reasons import because

TRIES = 5


async def pause(engine: Engine, execution: str, by: str, reason: str) -> None:
    """Pause an execution.

    Raises: NotFound, Gone, Conflict (it is queued, paused, being cancelled, or has ended), Unavailable.
    """
    told = {"by": by, "reason": reason}
    why = {"code": "paused_why" if reason else "paused", **told}
    for _ in range(TRIES):
        found = await engine.store.load(execution)
        if found is None:
            raise await missing(engine, "execution", execution)
        row = found[0]
        if row.state in TERMINAL_EXECUTION_STATES:
            raise Conflict(reason=because("already_ended", state=row.state.value))
        if row.state is not ExecutionState.RUNNING or row.cancel_requested:
            state = "cancelling" if row.cancel_requested else row.state.value
            raise Conflict(reason=because("pause_state", state=state))
        if await engine.store.pause(Pausing(execution, why, ("execution.paused", told))):
            paused(engine, await engine.executions.get(execution))
            return
    raise Unavailable(reason=because("busy"))


def paused(engine: Engine, memory: ExecutionMemory) -> None:
    """An execution was paused: others may have the locks that its waiting steps gave back."""
    engine.executions.forget(memory.id)
    engine.counts["plumber_executions_paused_total"] += 1
    if memory.holds:
        engine.ask({EVERYTHING})
    engine.wakeups.changed(memory.id)
