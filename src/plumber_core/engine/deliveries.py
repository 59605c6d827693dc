"""Deliver notifications: whichever replica is free claims one, and tries again with growing delays."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from datetime import datetime

from plumber_core.engine.core import Engine
from plumber_core.errors import PlumberError
from plumber_core.ids import share_of
from plumber_core.model.notices import DeliveryRow
from plumber_core.planning.notices import text, title
from plumber_core.plugins.contracts.notifier import Notification
from plumber_core.plugins.registry import PluginRegistry

log = logging.getLogger(__name__)
PATIENCE = 60.0
"""Seconds that a notifier may take."""
HELD = 90.0
"""Seconds for which a claimed delivery is nobody else's: a server that dies meanwhile sends it late, not never."""
RETRY_FIRST, RETRY_MOST = 5.0, 3600.0
GIVEN_UP = 86_400.0
"""Seconds after which a notification that could not be delivered is given up, visibly."""
KEPT = 30 * 86_400.0
"""Seconds for which ended deliveries can be looked at."""
LONGEST_ERROR = 1000


class Deliveries:
    """Sends what is due, one after the other on each channel, so that their order is kept."""

    def __init__(self, engine: Engine, plugins: PluginRegistry) -> None:
        self._engine, self._notifiers, self._troubles = engine, plugins.notifiers, plugins.troubles
        self._sending: set[str] = set()

    async def run(self) -> None:
        """Deliver until cancelled: at once what was just written, and what the sweep finds."""
        outbox = self._engine.outbox
        while True:
            outbox.clear()
            with contextlib.suppress(PlumberError):
                idle = self._notifiers.keys() - self._sending
                for channel in await self._engine.store.due_channels(idle):
                    self._sending.add(channel)
                    self._engine.spawn(self._drain(channel), f"deliver to {channel}")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._engine.patience.sweep_interval):
                    await outbox.wait()

    async def _drain(self, channel: str) -> None:
        try:
            with contextlib.suppress(PlumberError):
                while (delivery := await self._engine.store.claim_delivery(channel, HELD)) is not None:
                    await self.deliver(delivery)
        finally:
            self._sending.discard(channel)

    async def deliver(self, delivery: DeliveryRow, *, once: bool = False) -> None:
        """Send a claimed delivery and note how that went; ``once`` tries no second time."""
        error = await self._send(delivery)
        again = None if error is None or once else _delay(delivery)
        await self._engine.store.end_delivery(delivery, error, again)
        outcome = "sent" if error is None else "failed" if again is None else "retried"
        self._engine.counts[f"plumber_notifications_{outcome}_total"] += 1
        if outcome == "failed":
            self._engine.wakeups.changed(delivery.execution_id)

    async def _send(self, delivery: DeliveryRow) -> str | None:
        """Return why it was not delivered, None if it was."""
        notifier = self._notifiers[delivery.channel]
        notification = made(delivery, notifier.language or self._engine.notices.language, self._engine.public_url)
        try:
            async with asyncio.timeout(PATIENCE):
                await notifier.send(notification)
        except Exception as error:
            self._troubles.note("notifiers", delivery.channel, error)
            log.warning("channel %s: notification %s was not delivered: %s", delivery.channel, delivery.id, error)
            return f"{type(error).__name__}: {error}"[:LONGEST_ERROR]
        self._troubles.well("notifiers", delivery.channel)
        return None


def made(delivery: DeliveryRow, language: str, public_url: str) -> Notification:
    """Return the notification as it is sent, in a language; its id is the delivery's."""
    facts, known = delivery.facts, public_url.startswith("http")
    page = f"executions/{delivery.execution_id}" if delivery.execution_id else "system"
    return Notification(
        id=delivery.id,
        kind=str(facts.get("kind", "notification.test")),
        at=datetime.fromisoformat(facts["at"]),
        title=title(delivery.occasion, facts, language),
        text=text(delivery.occasion, facts, language),
        url=f"{public_url.rstrip('/')}/{page}" if known else None,
        occasion=delivery.occasion,
        language=language,
        data=facts,
    )


def _delay(delivery: DeliveryRow) -> float | None:
    """Return when to try again, in seconds, None when it has been tried for long enough."""
    delays = [RETRY_FIRST * 2.0 ** min(number, 20) for number in range(delivery.attempts)]
    if sum(min(RETRY_MOST, delay) for delay in delays) > GIVEN_UP:
        return None
    return min(RETRY_MOST, delays[-1]) * (1 - 0.2 * share_of(delivery.id))


async def give_up_old(engine: Engine) -> None:
    """Fail what nobody can send any more, such as for a channel that was taken out; delete what ended long ago."""
    with contextlib.suppress(PlumberError):
        given_up = await engine.store.give_up_deliveries(2 * GIVEN_UP, "it could not be delivered in time")
        engine.counts["plumber_notifications_failed_total"] += given_up
        await engine.store.delete_deliveries(KEPT)
