"""An agent that takes no steps for now: nothing is handed out to it, and people see why."""

from __future__ import annotations

from typing import Any

from plumber_core.engine.claim import claim_soon
from plumber_core.engine.connections import Connection
from plumber_core.engine.core import Engine
from plumber_core.model.inert import inert
from plumber_core.model.records import AgentRow
from plumber_core.protocol.messages import REFUSALS

FACT = "refuses"
"""The fact of an agent that holds why it takes no steps."""


def hear_refusal(engine: Engine, connection: Connection, reason: str) -> None:
    """Take in what an agent says of itself with a renewal; an empty ``reason`` is none."""
    if reason == connection.refuses:
        return
    connection.refuses = inert(reason, 64)
    engine.spawn(_note(engine, connection, connection.refuses), "refusal")
    if not reason:
        connection.backlog = True
        claim_soon(engine, connection)


def hear_proof(engine: Engine, connection: Connection, reason: str) -> None:
    """An attempt that was given back for such a reason must not be handed out again at once."""
    if reason in REFUSALS:
        hear_refusal(engine, connection, reason)


async def _note(engine: Engine, connection: Connection, reason: str) -> None:
    def decide(row: AgentRow, _epoch: int) -> dict[str, Any] | None:
        facts = {name: value for name, value in row.facts.items() if name != FACT}
        if reason:
            facts[FACT] = reason
        return None if facts == row.facts else {"facts": facts}

    await engine.store.open_session(connection.agent_id, decide)
    engine.fleet.stale()
    event = ("agent.refuses", {"reason": reason}) if reason else ("agent.accepts", {})
    await engine.store.add_event(event[0], None, connection.agent_id, event[1])
