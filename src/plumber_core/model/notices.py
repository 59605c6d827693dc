"""Notifications: on which occasions, to which channels, and what is kept of each until it has arrived."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

from plumber_core.model.wrong_types import wrong_type
from plumber_core.reasons import because

Occasion = Literal["failure", "recovery", "success", "waiting"]
OCCASIONS: tuple[Occasion, ...] = get_args(Occasion)
Language = Literal["en", "zh"]
DeliveryState = Literal["pending", "sent", "failed"]


def _channels(value: object) -> tuple[str, ...]:
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list | tuple) and all(isinstance(name, str) and name for name in names):
        return tuple(dict.fromkeys(names))
    raise wrong_type("notify", because("expect_channels"))


_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1},
        {"type": "array", "items": {"type": "string", "minLength": 1}},
    ]
}
Channels = Annotated[tuple[str, ...], BeforeValidator(_channels), WithJsonSchema(_SCHEMA)]


class Notify(BaseModel):
    """Who is told on which occasion: names of channels that the server's plugins offer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    failure: Channels = ()
    recovery: Channels = ()
    success: Channels = ()
    waiting: Channels = ()

    def by_occasion(self) -> dict[str, tuple[str, ...]]:
        """Return the occasions on which somebody is told, with their channels."""
        found: dict[str, tuple[str, ...]] = {name: getattr(self, name) for name in OCCASIONS}
        return {name: channels for name, channels in found.items() if channels}


class NoticeSettings(Notify):
    """The ``[notifications]`` table: who is told of every task, beside those that the task names itself."""

    language: Language = "en"
    """Of channels that have none of their own."""


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One notification on its way to one channel. ``facts`` are JSON values that its text is made of."""

    id: str
    channel: str
    occasion: str
    execution_id: str | None
    facts: dict[str, Any]
    error: str | None = None
    """Why it cannot be delivered at all; None for one that can."""


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """What became of a notification. Times are microseconds of the database's clock."""

    id: str
    channel: str
    occasion: str
    execution_id: str | None
    facts: dict[str, Any]
    state: DeliveryState
    attempts: int
    error: str | None
    created_at: int
    due_at: int
    ended_at: int | None


@dataclass(frozen=True, slots=True)
class CursorRow:
    """How far somebody has come in the event log, and since when it has not gone on, and why."""

    name: str
    cursor: str
    moved_at: int
    failures: int = 0
    failing_since: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class ChannelCount:
    """What waits for a channel, and how its last deliveries went."""

    pending: int = 0
    failed: int = 0
    sent_at: int | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events after a place, and the place up to which nothing else is wanted. ``now`` is the database's time."""

    rows: tuple[Any, ...]
    end: str
    now: int
    whole: bool = field(default=True)
    """False when more are there already."""
