"""What agents tell of executions after the database has lost commits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from plumber_core.model import forgotten as f


class AdoptionStore(Protocol):
    """What agents know better than a database that has forgotten commits."""

    async def adopt(self, adopter: f.Adopter, held: Sequence[f.HeldAttempt]) -> f.Adopted | None:
        """Compare attempts that an agent holds with the database, and make it know them: the agent is right.

        A waiting step is run by the newest of them; what belongs to an execution that is not known is noted as a
        stray. None when the session is not the agent's current one: nothing was changed.
        """
        ...

    async def report_stray(self, attempt_id: str, agent_id: str, outcome: dict[str, Any]) -> bool: ...

    async def strays(self, agent_id: str, limit: int, before: str | None) -> list[f.StrayRow]: ...

    async def standing(self, execution_id: str) -> f.Standing: ...

    async def settle(self, change: f.Settlement) -> bool:
        """Write where an execution stands. False when somebody has changed it since: nothing was written."""
        ...
