"""Notifiers: carry a message to where people look. Runs in: control plane."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from plumber_core.plugins.contracts.base import PluginObject


@dataclass(frozen=True, slots=True)
class Notification:
    """Something worth telling. ``id`` stays the same when it is sent again: receivers can drop the repeat.

    ``kind`` is an event kind such as ``execution.failed``, ``url`` the page that shows more, ``data`` JSON
    values. ``occasion`` is failure, recovery, success, waiting or test; ``title`` and ``text`` are in ``language``.
    """

    id: str
    kind: str
    at: datetime
    title: str
    text: str = ""
    url: str | None = None
    data: dict[str, Any] = field(default_factory=dict)
    occasion: str = ""
    language: str = "en"


class Notifier(PluginObject, ABC):
    """One channel. ``name`` is what tasks refer to; the same class may serve several.

    ``language`` is ``en`` or ``zh``, None for the server's.
    """

    name: str
    language: str | None = None

    @abstractmethod
    async def send(self, notification: Notification) -> None:
        """Deliver, at least once. Any error means "not delivered": it is tried again later, with backoff."""
