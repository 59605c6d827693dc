"""Claim steps that any of several agents may run, in the long form: a claim alone starts nothing."""

from __future__ import annotations

from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.engine.specs import spec_from_json
from plumber_core.ids import new_nonce
from plumber_core.model.records import Claim, StepRow
from plumber_core.protocol.messages import Assignment


async def claim_pooled(engine: Engine, connection: Connection) -> int:
    """Claim steps of pools one by one while the agent has slots, so that others get some too; return how many."""
    total = 0
    while connection.pooled and connection.free > 0:
        # Lowered before the question: a step that becomes ready while it is under way raises it again.
        connection.pooled = False
        step = await _claim_one(engine, connection)
        if step is not None:
            connection.pooled = True
            total += 1
            _hand(connection, step)
            engine.wakeups.changed(step.execution_id)
    return total


async def _claim_one(engine: Engine, connection: Connection) -> StepRow | None:
    claim = Claim(connection.agent_id, connection.session_hash, connection.beat, connection.boot_id, new_nonce())
    connection.reserved += 1
    try:
        return await engine.store.claim_pooled(claim, engine.patience.lost_after)
    except BaseException:
        # Perhaps it was claimed all the same.
        connection.pooled = True
        connection.suspect()
        raise
    finally:
        connection.reserved -= 1


def _hand(connection: Connection, step: StepRow) -> None:
    spec = spec_from_json(step.spec or {})
    assignment = Assignment(
        step.attempt_id or "", connection.session, connection.beat, connection.epoch, spec, permit=False
    )
    connection.hand(assignment)
    connection.push(assignment)
