"""What pausing asks of the store."""

from __future__ import annotations

from typing import Protocol

from plumber_core.model import records as r
from plumber_core.model.cancelling import SomeCancelled
from plumber_core.model.pausing import Continuation, Pausing


class PauseStore(Protocol):
    """A paused execution starts nothing; its state is in the database alone. Of one that goes on hosts and steps may be
    cancelled."""

    async def pause(self, change: Pausing) -> bool:
        """Pause an execution. False when it does not run, or is being cancelled."""
        ...

    async def go_on(self, change: Continuation) -> list[r.StepRow] | None:
        """Let a paused execution go on, and return the steps that are ready again. None when it is not paused any
        more, or is not as it was seen: nothing was written."""
        ...

    async def cancel_some(self, change: SomeCancelled) -> list[r.StepRow] | None:
        """Cancel what waits, ask what runs to end, and return that. None when the execution is not as it was seen:
        nothing was written."""
        ...
