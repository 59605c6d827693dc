"""Who leads, and what a server learns when it says that it lives. Part of ``records.py``."""

from __future__ import annotations

from dataclasses import dataclass

from plumber_core.model.states import AgentState


@dataclass(frozen=True, slots=True)
class Term:
    """A leader's lease: its writes hold only while ``term`` is the newest of ``name``."""

    name: str
    holder: str
    term: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What decides whether an agent gets steps over a connection: its state, and whose session is its current one."""

    state: AgentState
    conflict: bool
    session: str | None


@dataclass(frozen=True, slots=True)
class Presence:
    """What a server learns when it says that it lives: how many do, the time, whether it leads, and the agents that
    have ready steps, or cancels to be told of."""

    replicas: int
    now: int
    term: Term | None
    waiting: list[str]
