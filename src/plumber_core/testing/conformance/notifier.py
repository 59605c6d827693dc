"""What every notifier must do."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from plumber_core.plugins.catalogue import NOTIFIERS
from plumber_core.plugins.contracts.notifier import Notification, Notifier
from plumber_core.testing.conformance.opened import assert_contract, opened, override

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def notification(
    id: str = "n1", title: str = "deploy-shop failed", text: str = "on web-1", **data: object
) -> Notification:
    """Return a notification to send."""
    return Notification(id, "execution.failed", AT, title, text, "http://127.0.0.1:52281/executions/1", dict(data))


class NotifierConformance:
    """Override ``notifier``; ``received`` if a test can see what arrived, ``dead_notifier`` if it can be cut off."""

    @pytest.fixture
    def notifier(self) -> Notifier:
        """The notifier to test, with a receiver behind it."""
        raise override("notifier")

    @pytest.fixture
    def received(self) -> Callable[[], list[str]] | None:
        """A function that returns the ids of what arrived, in any order."""
        return None

    @pytest.fixture
    def dead_notifier(self) -> Notifier | None:
        """A notifier whose receiver refuses or is not there."""
        return None

    def test_contract(self, notifier: Notifier) -> None:
        assert_contract(notifier, NOTIFIERS)

    def test_sends(self, notifier: Notifier, received: Callable[[], list[str]] | None) -> None:
        opened(notifier, lambda: notifier.send(notification("n1")))
        assert received is None or received() == ["n1"]

    @pytest.mark.parametrize(
        "text", ["", "任务失败 ☃", "<b>&amp;</b>\r\n\x00", "x" * 20_000], ids=["empty", "unicode", "markup", "long"]
    )
    def test_sends_any_text(self, notifier: Notifier, text: str) -> None:
        opened(
            notifier, lambda: notifier.send(notification(title=text or "-", text=text, value=[1, None, {"a": text}]))
        )

    def test_sends_the_same_again(self, notifier: Notifier) -> None:
        async def twice() -> None:
            await notifier.send(notification("again"))
            await notifier.send(notification("again"))

        opened(notifier, twice)

    def test_sends_many_at_once(self, notifier: Notifier, received: Callable[[], list[str]] | None) -> None:
        ids = [f"n{number}" for number in range(5)]

        async def all_of_them() -> None:
            await asyncio.gather(*(notifier.send(notification(id)) for id in ids))

        opened(notifier, all_of_them)
        assert received is None or sorted(received()) == ids

    def test_tells_when_nothing_was_delivered(self, dead_notifier: Notifier | None) -> None:
        if dead_notifier is None:
            pytest.skip("no dead_notifier to test")
        with pytest.raises(Exception):  # noqa: B017, PT011 - any error says "not delivered"
            opened(dead_notifier, lambda: dead_notifier.send(notification()))
