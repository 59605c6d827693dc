"""Pools: steps that any of several agents may run. Whoever is free is told, and what is not started goes back.

A claim alone runs nothing (long form), so one whose agent vanishes is given back at once and costs nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from plumber_core.engine.claim import claim_soon
from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.engine.presence import presence
from plumber_core.engine.views import PoolLook
from plumber_core.model.records import StepRow
from plumber_core.model.states import Presence, StepState

KNOWN_POOLS = 1000


def tell_pool(engine: Engine, pool: str, agents: Sequence[str], lanes: int) -> None:
    """Have ``lanes`` ready steps of a pool claimed by those of its agents that are the least busy.

    Nobody else is woken for nothing: who has no slot looks when it gets one, and the sweep looks again.
    """
    here = [found for agent in agents if (found := engine.connections.get(agent)) is not None]
    free = [one for one in here if one.free > 0 and engine.connections.permits(one)]
    for connection in here:
        connection.pooled |= connection.free <= 0
    for connection in sorted(free, key=_how_busy)[:lanes]:
        connection.pooled = True
        claim_soon(engine, connection)
    if len(free) < lanes:
        engine.wakeups.pool(pool)


def _how_busy(connection: Connection) -> tuple[float, float]:
    """The share of slots that is taken, then how long ago something was handed out."""
    return (1 - connection.free / max(1, connection.slots), connection.handed_at)


async def tell_here(engine: Engine, pool: str) -> None:
    """Another replica has a ready step of this pool and nobody free."""
    agents = await members(engine, pool)
    free = sum(one is not None and one.free > 0 for one in map(engine.connections.get, agents))
    if free:
        tell_pool(engine, pool, agents, 1)


async def members(engine: Engine, pool: str) -> tuple[str, ...]:
    """Return the agents of a pool; they never change."""
    known = engine.pools.get(pool)
    if known is None:
        known = tuple(await engine.store.pool(pool))
        while len(engine.pools) >= KNOWN_POOLS:
            engine.pools.pop(next(iter(engine.pools)))
        engine.pools[pool] = known
    return known


async def tell_members(engine: Engine, steps: Iterable[StepRow]) -> None:
    """Have steps claimed that are ready again."""
    for step in steps:
        if step.pool is not None:
            tell_pool(engine, step.pool, await members(engine, step.pool), 1)


async def give_back(engine: Engine, agent: str, session: str) -> None:
    """An agent's connection is gone: what it has only claimed goes back to whoever is free."""
    await given_back(engine, await engine.store.give_back_claims(agent, session))


async def given_back(engine: Engine, steps: Sequence[StepRow]) -> None:
    """Have steps claimed anew that were claimed and never started."""
    engine.counts["plumber_claims_given_back_total"] += len(steps)
    for step in steps:
        engine.wakeups.changed(step.execution_id)
    await tell_members(engine, steps)


async def look_at_pools(engine: Engine, steps: Iterable[StepRow]) -> dict[str, PoolLook]:
    """Return the pools in which one of these steps waits for somebody."""
    waiting = {step.pool for step in steps if step.pool is not None and step.state is StepState.READY}
    if not waiting:
        return {}
    fleet, now = await engine.fleet.fresh_enough(), await engine.store.now()
    online = {
        agent
        for agent, row in fleet.rows.items()
        if presence(row.last_seen_at, now, engine.heartbeat) is Presence.ONLINE
    }
    pools = {pool: await members(engine, pool) for pool in waiting}
    return {pool: PoolLook(len(agents), len(online.intersection(agents))) for pool, agents in pools.items()}
