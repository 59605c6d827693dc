"""Event subscribers: hear what happened, after it was committed. Runs in: control plane."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

from plumber_core.plugins.contracts.base import PluginObject

if TYPE_CHECKING:
    from plumber_core.model.views import Event


class EventSubscriber(PluginObject, ABC):
    """Handles events of ``kinds`` (None: all), each at least once, in order. ``name`` is unique."""

    name: ClassVar[str]
    kinds: ClassVar[frozenset[str] | None] = None

    @abstractmethod
    async def handle(self, event: Event) -> None:
        """Take one event; ``event.id`` tells a repeat.

        After an error, or a minute without an end, it is asked again at the same event, later and later; others are
        not affected, and who fails is shown (``system.plugins``).
        """
