"""Hand ready steps to a connected agent: the way of steps for which there was no slot, or no connection."""

from __future__ import annotations

from plumber_core.engine.clock import monotonic
from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.engine.pool_claims import claim_pooled
from plumber_core.engine.specs import spec_from_json
from plumber_core.ids import new_nonce
from plumber_core.model.records import AttemptRow, StepRow
from plumber_core.model.states import StepState
from plumber_core.protocol.messages import Ask, Assignment, Cancel


async def claim(engine: Engine, connection: Connection, cause: str) -> int:
    """Claim as many ready steps as the agent has slots and push them; return how many.

    ``cause`` says what led here, for the counter that tells pushes from sweeps.
    """
    total, counter = 0, f"plumber_assigned_by_{cause}_total"
    async with connection.claiming:
        while connection.free > 0 and connection.beat > 0:
            looked = connection.pooled
            pooled = await claim_pooled(engine, connection)
            engine.counts[counter] += pooled
            total += pooled
            if connection.free > 0:
                own = await _claim_once(engine, connection)
                engine.counts[counter] += own
                total += own
                # What has waited longer goes first, so a pool's steps may have stood behind these.
                connection.pooled |= looked and own > 0
            if not (connection.backlog or connection.pooled):
                break
    return total


def claim_soon(engine: Engine, connection: Connection) -> None:
    """Have ready steps claimed beside the caller, unless that cannot help or is being done."""
    if (connection.backlog or connection.pooled) and connection.free > 0 and not connection.claiming.locked():
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
        # Perhaps they were handed out all the same.
        connection.backlog = True
        connection.suspect()
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
    # Pools have a hint of their own.
    connection.pooled |= cause != "notify"
    if not connection.accepts:
        await _look_again(engine, connection)
    may_claim = connection.free > 0 and connection.beat > 0
    if not await claim(engine, connection, cause) and may_claim and cause == "sweep":
        await _look_again(engine, connection)
    if not connection.live and not connection.doubtful:
        return
    doubtful, connection.doubtful = connection.doubtful, False
    silent: list[str] = []
    asked = monotonic()
    live = await _live_steps(engine, connection, doubtful=doubtful)
    if doubtful:
        connection.prune({attempt.id for _, attempt in live}, asked)
    for step, attempt in live:
        if doubtful and attempt.id not in connection.live and attempt.session == connection.session_hash:
            _ask_about(connection, step, attempt)
        elif step.state is StepState.CANCELLING and attempt.id in connection.live:
            kill = step.kill_requested
            connection.cancel(Cancel(attempt.id, kill=kill), attempt.id, kill=kill)
        elif step.state is StepState.UNREACHABLE and attempt.id in connection.have:
            silent.append(attempt.id)
    if silent:
        await engine.store.mark_reachable(agent_id, silent)


async def _look_again(engine: Engine, connection: Connection) -> None:
    """Another replica may have been told that the agent is to take steps again, or may have its session by now."""
    accepted, asked = connection.accepts, monotonic()
    row = await engine.store.find_agent(connection.agent_id)
    if row is None:
        return
    engine.connections.follow({row.id: row}, asked)
    if connection.accepts and not accepted:
        connection.backlog = True


async def _live_steps(engine: Engine, connection: Connection, *, doubtful: bool) -> list[tuple[StepRow, AttemptRow]]:
    try:
        return await engine.store.live_steps(connection.agent_id)
    except BaseException:
        connection.doubtful = doubtful
        raise


def _ask_about(connection: Connection, step: StepRow, attempt: AttemptRow) -> None:
    """It was handed out by a write of which nobody knew whether it was committed."""
    spec = spec_from_json(step.spec or {})
    cancel = step.cancel_requested
    permit = step.state is not StepState.CLAIMED
    assignment = Assignment(attempt.id, connection.session, attempt.beat, attempt.epoch, spec, permit, cancel)
    connection.hand(assignment)
    connection.push(Ask(assignment))
