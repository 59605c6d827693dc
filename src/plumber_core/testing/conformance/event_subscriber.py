"""What every event subscriber must do."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from plumber_core.model.views import Event
from plumber_core.plugins.catalogue import EVENT_SUBSCRIBERS
from plumber_core.plugins.contracts.event_subscriber import EventSubscriber
from plumber_core.testing.conformance.opened import assert_contract, opened, override

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def event(id: str = "1", kind: str = "execution.started", **data: Any) -> Event:
    """Return an event to handle."""
    return Event(id=id, at=AT, kind=kind, execution="e1", agent=None, data=data)


class EventSubscriberConformance:
    """Override ``subscriber``."""

    @pytest.fixture
    def subscriber(self) -> EventSubscriber:
        """The subscriber to test."""
        raise override("subscriber")

    def test_contract(self, subscriber: EventSubscriber) -> None:
        assert_contract(subscriber, EVENT_SUBSCRIBERS)
        assert subscriber.kinds is None or all(isinstance(kind, str) for kind in subscriber.kinds)

    def test_handles(self, subscriber: EventSubscriber) -> None:
        opened(subscriber, lambda: subscriber.handle(event(name="任务", nested={"a": [1, None]})))

    def test_handles_a_kind_of_tomorrow(self, subscriber: EventSubscriber) -> None:
        opened(subscriber, lambda: subscriber.handle(event(kind="moon.landed")))

    def test_handles_a_repeat(self, subscriber: EventSubscriber) -> None:
        async def twice() -> None:
            await subscriber.handle(event("7"))
            await subscriber.handle(event("7"))

        opened(subscriber, twice)
