"""Locks and queues: who may hold what."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

from plumber_core.model.holds import Admitted, Beginning, HoldLook


class HoldStore(Protocol):
    """What is held and asked for. It goes back by itself in the transaction in which its holder ends."""

    async def admit(self, names: Collection[str]) -> Admitted:
        """Decide over these names (``EVERYTHING`` for all that anybody asks for), one server at a time.

        Steps that get all that they ask for can be claimed from then on.
        """
        ...

    async def begin(self, beginning: Beginning) -> bool:
        """Begin a queued execution. False when it has not got everything, is not queued, or was cancelled."""
        ...

    async def holds(self, holders: Collection[str]) -> dict[str, list[HoldLook]]:
        """Return what these holders wait for."""
        ...
