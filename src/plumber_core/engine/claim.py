"""Hand ready steps to a connected agent: the way of steps for which there was no slot, or no connection."""

from __future__ import annotations

from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.engine.specs import spec_from_json
from plumber_core.ids import new_nonce
from plumber_core.model.states import StepState
from plumber_core.protocol.messages import Assignment, Cancel


async def claim(engine: Engine, connection: Connection, cause: str) -> int:
    """Claim as many ready steps as the agent has slots and push them; return how many.

    ``cause`` says what led here, for the counter that tells pushes from sweeps.
    """
    total = 0
    async with connection.claiming:
        while connection.free > 0 and connection.beat > 0:
            total += await _claim_once(engine, connection)
            if not connection.backlog:
                break
    engine.counts[f"plumber_assigned_by_{cause}_total"] += total
    return total


def claim_soon(engine: Engine, connection: Connection) -> None:
    """Have ready steps claimed beside the caller, unless that cannot help or is being done."""
    if connection.backlog and connection.free > 0 and not connection.claiming.locked():
        engine.spawn(claim(engine, connection, "push"), "claim")


async def _claim_once(engine: Engine, connection: Connection) -> int:
    wanted = connection.free
    # Lowered before the question: a step that becomes ready while it is under way raises it again.
    connection.backlog = False
    connection.reserved += wanted
    try:
        rows = await engine.store.claim(
            connection.agent_id,
            connection.session_hash,
            limit=wanted,
            beat=connection.beat,
            boot_id=connection.boot_id,
            nonce=new_nonce(),
        )
    except BaseException:
        connection.backlog = True
        raise
    finally:
        connection.reserved -= wanted
    connection.backlog = connection.backlog or len(rows) == wanted
    for row in rows:
        spec = spec_from_json(row.spec or {})
        assignment = Assignment(row.attempt_id or "", connection.session, connection.beat, connection.epoch, spec)
        connection.hand(assignment)
        connection.push(assignment)
    for execution in {row.execution_id for row in rows}:
        engine.wakeups.changed(execution)
    return len(rows)


async def deliver(engine: Engine, agent_id: str, cause: str) -> None:
    """Bring both sides up to date: ready steps, cancels that the agent was not told of, and false silence."""
    connection = engine.connections.get(agent_id)
    if connection is None:
        return
    await claim(engine, connection, cause)
    if not connection.live:
        return
    silent: list[str] = []
    for step, attempt in await engine.store.live_steps(agent_id):
        if step.state is StepState.CANCELLING and attempt.id in connection.live:
            kill = step.kill_requested
            connection.cancel(Cancel(attempt.id, kill=kill), attempt.id, kill=kill)
        elif step.state is StepState.UNREACHABLE and attempt.id in connection.have:
            silent.append(attempt.id)
    if silent:
        await engine.store.mark_reachable(agent_id, silent)
