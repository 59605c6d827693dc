"""Hosts that are not there, as the database sees them."""

from __future__ import annotations

from sqlalchemy import Connection, update

from plumber_core.app import Plumber
from plumber_core.model.asked import NEVER
from plumber_core.model.views import AgentCreated
from plumber_core.storage import tables as t

LATER = 10_000_000_000
"""Microseconds by which tests let time pass in the database."""


async def absent(plumber: Plumber, name: str) -> AgentCreated:
    """Create an agent that never connects."""
    return await plumber.agents.create(name=name)


async def let_silence_last(plumber: Plumber) -> None:
    """Make everybody's silence, and the wait for them, longer by almost three hours."""
    agent, step = t.agents.c, t.step_executions.c
    heard = update(t.agents).values(last_seen_at=agent.last_seen_at - LATER)
    listening = update(t.meta).values(accepting_since=t.meta.c.accepting_since - LATER)
    waiting = (step.state == "ready", step.ready_at < NEVER)
    ready = update(t.step_executions).where(*waiting).values(ready_at=step.ready_at - LATER)

    def work(connection: Connection) -> None:
        for statement in (heard, listening, ready):
            connection.execute(statement)

    await plumber._store.database.write(work)
