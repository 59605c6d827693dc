"""``ControlPlane``: the one list of operations, implemented by ``Plumber`` in-process and ``AsyncClient`` remotely."""

from __future__ import annotations

import functools
import typing
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from plumber_core.control import nouns
from plumber_core.control.operations import Operation, collect
from plumber_core.model.views import Event, LogGrowth, LogSlice, Position


class ControlPlane(Protocol):
    """Operations by noun, and the two streams that plain HTTP carries."""

    @property
    def sessions(self) -> nouns.Sessions: ...
    @property
    def tokens(self) -> nouns.Tokens: ...
    @property
    def tasks(self) -> nouns.Tasks: ...
    @property
    def executions(self) -> nouns.Executions: ...
    @property
    def agents(self) -> nouns.Agents: ...
    @property
    def groups(self) -> nouns.Groups: ...
    @property
    def executors(self) -> nouns.Executors: ...
    @property
    def notifications(self) -> nouns.Notifications: ...
    @property
    def subscribers(self) -> nouns.Subscribers: ...
    @property
    def system(self) -> nouns.System: ...

    async def read_log(
        self,
        attempt: str,
        offset: int = 0,
        limit: int = 1024 * 1024,
        *,
        line: int | None = None,
        tail: int | None = None,
    ) -> LogSlice:
        """Return durable log bytes of an attempt from ``offset`` on: whole frames, about ``limit`` bytes of them.

        Instead of an offset, ``line`` begins a little before that line (from 0), and ``tail`` that many bytes before
        the end.

        Raises: NotFound, InvalidRequest (an offset inside a frame, a place past the end, or two places).
        """
        ...

    def follow(self, *, execution: str | None = None, after: str | None = None) -> AsyncIterator[Event | LogGrowth]:
        """Yield events after the cursor ``after`` (None: from now on), then live ones, without a gap or a repeat;
        between them hints that a log has grown. Never ends by itself."""
        ...


class Feeding(Protocol):
    """What a control plane beside the engine offers to those who carry its events over a wire."""

    def feed(
        self, *, execution: str | None = None, after: str | None = None
    ) -> AsyncIterator[Sequence[Position | Event | LogGrowth]]:
        """Yield the position from which it goes on, at once, then what ``ControlPlane.follow`` yields; as many
        together as there are."""
        ...


NOUNS: dict[str, type] = {
    name: typing.get_type_hints(prop.fget)["return"]
    for name, prop in vars(ControlPlane).items()
    if isinstance(prop, property)
}


@functools.cache
def operations() -> dict[str, Operation]:
    """Return every operation by its name."""
    return {op.name: op for attribute, noun in NOUNS.items() for op in collect(attribute, noun)}
