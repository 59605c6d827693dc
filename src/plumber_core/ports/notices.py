"""What follows from events: how far each follower has come, and notifications on their way."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from plumber_core.model import notices as n
from plumber_core.model import records as r


class NoticeStore(Protocol):
    """Cursors and deliveries."""

    async def begin_cursor(self, name: str) -> str:
        """Return where a follower stands; a new one begins now."""
        ...

    async def events_of(self, cursor: str, kinds: Collection[str] | None, limit: int) -> n.EventPage:
        """Return visible events of these kinds (None: all) after a place."""
        ...

    async def move_cursor(
        self, term: r.Term, name: str, before: str, after: str, deliveries: Sequence[n.NewDelivery] = ()
    ) -> bool:
        """Move a cursor on and write what follows from the events behind it. False when another leads or moved it."""
        ...

    async def cursor_stuck(self, term: r.Term, name: str, error: str) -> None:
        """Note that a follower cannot take the event after its cursor; moving it on forgets that."""
        ...

    async def unstick(self, name: str, before: str, after: str, kind: str, told: dict[str, Any]) -> bool:
        """Forget that a follower at ``before`` is stuck, move it to ``after``, and put into the event log that and why.
        False when it is not stuck there any more."""
        ...

    async def list_cursors(self) -> list[n.CursorRow]: ...

    async def due_channels(self, channels: Collection[str]) -> list[str]:
        """Return those of the channels for which something is due."""
        ...

    async def claim_delivery(self, channel: str, seconds: float) -> n.DeliveryRow | None:
        """Take the delivery of a channel that is due for longest; due again after ``seconds`` if nobody ends it."""
        ...

    async def end_delivery(self, delivery: n.DeliveryRow, error: str | None, again: float | None) -> None:
        """Note that a claimed delivery was sent, or its ``error``: tried ``again`` in so many seconds, never if None.

        Whoever claimed it later decides instead.
        """
        ...

    async def give_up_deliveries(self, seconds: float, error: str) -> int:
        """Fail what has been pending for so long, whoever should send it; return how many."""
        ...

    async def delete_deliveries(self, seconds: float) -> None:
        """Delete those that ended so long ago."""
        ...

    async def retry_delivery(self, id: str) -> n.DeliveryRow | None:
        """Make a delivery due now, also one that was given up; None when there is none or it was sent."""
        ...

    async def add_delivery(self, new: n.NewDelivery, seconds: float) -> n.DeliveryRow:
        """Write one that the caller sends itself at once; due again after ``seconds``."""
        ...

    async def find_delivery(self, id: str) -> n.DeliveryRow | None: ...

    async def list_deliveries(
        self, state: str | None, channel: str | None, limit: int, before: str | None
    ) -> list[n.DeliveryRow]:
        """Return deliveries, the newest first."""
        ...

    async def channel_counts(self) -> dict[str, n.ChannelCount]: ...

    async def failed_before(self, execution_id: str, task_id: str | None, event: str) -> bool:
        """Say whether what ended before this event, of the same task or this execution itself, had failed."""
        ...

    async def failed_steps(self, execution_id: str, limit: int) -> tuple[int, list[r.StepRow], list[r.AttemptRow]]:
        """Return how many steps have failed, the first of them, and their attempts."""
        ...
