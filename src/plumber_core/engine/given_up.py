"""An agent comes back with commands that were given up: those that are to be tried again end first."""

from __future__ import annotations

from collections.abc import Iterable

from plumber_core.engine.core import Engine
from plumber_core.protocol.messages import Cancel


async def end_given_up(engine: Engine, agent_id: str, held: Iterable[str]) -> tuple[Cancel, ...]:
    """Return the orders that end what an agent holds and another attempt will replace, or has.

    From its renewals on the agent would not end such a command by itself any more, so its next attempt waits as long
    again as that may take: only then may the agent be answered.

    Raises: Unavailable.
    """
    attempts = sorted(held)
    if not attempts:
        return ()
    return tuple(Cancel(attempt, kill=True) for attempt in await engine.store.hold_retries(agent_id, attempts))
