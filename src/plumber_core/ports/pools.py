"""Steps that any of several agents may run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from plumber_core.model import records as r


class PoolStore(Protocol):
    """Steps that any of several agents may run."""

    async def save_pool(self, pool: str, agents: Sequence[str]) -> None:
        """Keep which agents a pool has. Its id says it all, so the same again changes nothing."""
        ...

    async def pool(self, pool: str) -> list[str]:
        """Return the agents of a pool."""
        ...

    async def claim_pooled(self, claim: r.Claim, lost_after: float) -> r.StepRow | None:
        """Claim the oldest ready step of the agent's pools: ready -> claimed; None when there is none for it.

        What older epochs may have handed out to others waits for them, at most ``lost_after`` s.
        """
        ...

    async def start(self, attempt: str, agent: str, session: str, boot_id: str) -> bool:
        """Give the permit: claimed -> running, for the session that has claimed it while that is the current one.

        Also to the session to which the step was handed out with a permit that came too late, while it is running as
        far as the database knows: its lease counts from now.
        """
        ...

    async def give_back_claims(self, agent: str, session: str) -> list[r.StepRow]:
        """Make the steps ready again that a session has claimed and not started."""
        ...

    async def delete_pools(self) -> None:
        """Forget the pools that no step has needed for long."""
        ...
