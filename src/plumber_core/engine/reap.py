"""The sweep: one per server process stands behind every push, and does what time brings about."""

from __future__ import annotations

import asyncio
import contextlib

from plumber_core.engine.attempts import AttemptRef
from plumber_core.engine.claim import deliver
from plumber_core.engine.core import Engine
from plumber_core.engine.finish import Ending, finish
from plumber_core.errors import PlumberError
from plumber_core.model import limits
from plumber_core.model.states import Actor, StepState

SLOW_EVERY = 3
CREDENTIALS_EVERY = 720


async def sweeps(engine: Engine) -> None:
    """Sweep every few seconds until cancelled. A database that is away costs a round, nothing else."""
    number = 0
    while True:
        with contextlib.suppress(PlumberError):
            await sweep(engine, number)
        number += 1
        await asyncio.sleep(limits.SWEEP_INTERVAL)


async def sweep(engine: Engine, number: int = 0) -> None:
    """Store presence, hand out what a lost wake-up left behind, and notice silence."""
    replicas = await engine.store.presence(engine.server_id, engine.connections.heard())
    engine.wakeups.others = replicas > 1
    for agent in await engine.store.waiting_agents():
        if engine.connections.get(agent) is not None:
            await deliver(engine, agent, "sweep")
    if number % SLOW_EVERY == 0:
        await notice_silence(engine)
    if number % CREDENTIALS_EVERY == 0:
        await engine.store.sweep_credentials()


async def notice_silence(engine: Engine) -> None:
    """Call silent steps unreachable, and those of agents silent for long lost: their outcome is unknown."""
    for step in await engine.store.mark_unreachable(limits.lease(engine.heartbeat)):
        engine.wakeups.changed(step.execution_id)
    for step in await engine.store.overdue(limits.LOST_AFTER):
        if step.attempt_id is None:
            continue
        outcome = {"state": "unknown", "error": "agent_silent"}
        ending = Ending(AttemptRef.parse(step.attempt_id), step.agent_id, StepState.LOST, Actor.REAPER, outcome)
        await finish(engine, ending)
