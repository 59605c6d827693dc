"""Who is connected to this replica: nothing here matters after its death, the database knows everything."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field

from plumber_core.ids import secret_hash
from plumber_core.model import limits
from plumber_core.protocol.messages import Assignment, Delivery

TURN = 2.0
"""Seconds for which one lane's steps may follow each other in a slot while others wait for it."""


@dataclass(eq=False)
class Connection:
    """One agent's session on this replica.

    ``have`` is the inventory of the last renewal; ``live`` holds the attempts that take a slot, with when they were
    handed out (monotonic seconds), ``turns`` since when their lanes have had the slot. ``backlog`` says that the
    database may have ready steps that were not handed out.
    """

    agent_id: str
    name: str
    session: str
    boot_id: str
    epoch: int
    slots: int
    accepts: bool = True
    beat: int = 0
    heard_at: float = field(default_factory=time.monotonic)
    live: dict[str, tuple[Assignment, float]] = field(default_factory=dict)
    turns: dict[str, float] = field(default_factory=dict)
    have: frozenset[str] = frozenset()
    cancelled: dict[str, bool] = field(default_factory=dict)
    reserved: int = 0
    backlog: bool = True
    outbox: asyncio.Queue[Delivery | None] = field(default_factory=asyncio.Queue)
    claiming: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.session_hash = secret_hash(self.session)

    @property
    def free(self) -> int:
        """How many more attempts the agent may hold."""
        return self.slots - len(self.live) - self.reserved if self.accepts else 0

    def push(self, delivery: Delivery) -> None:
        """Send without waiting; a lost message loses nothing, the next renewal asks."""
        self.outbox.put_nowait(delivery)

    def hand(self, assignment: Assignment) -> None:
        """Note a committed assignment."""
        now = time.monotonic()
        self.live[assignment.attempt] = (assignment, now)
        self.turns[assignment.attempt] = now

    def may_pass_on(self, attempt: str) -> bool:
        """Say whether the slot of an attempt that ends goes to its successor, past those that wait for one."""
        if not self.accepts or attempt not in self.live:
            return False
        return not self.backlog or time.monotonic() - self.turns[attempt] < TURN

    def pass_on(self, ended: str, assignment: Assignment) -> None:
        """Note that a committed assignment follows an attempt that ended, in its slot and its turn."""
        began = self.turns.get(ended)
        self.done(ended)
        self.hand(assignment)
        if began is not None:
            self.turns[assignment.attempt] = began

    def cancel(self, delivery: Delivery, attempt: str, *, kill: bool) -> None:
        """Push a cancel, once for each strength."""
        told = self.cancelled.get(attempt)
        if told is None or (kill and not told):
            self.cancelled[attempt] = kill
            self.push(delivery)

    def done(self, attempt: str) -> None:
        """Give the slot of an ended attempt back."""
        self.live.pop(attempt, None)
        self.turns.pop(attempt, None)
        self.cancelled.pop(attempt, None)

    def end(self) -> None:
        """End ``deliveries``."""
        self.outbox.put_nowait(None)


class Connections:
    """The agents connected here, by agent id."""

    def __init__(self) -> None:
        self._by_agent: dict[str, Connection] = {}
        self._heard: dict[str, float] = {}

    @property
    def heartbeat(self) -> float:
        """The heartbeat interval that agents are told, in seconds."""
        return limits.heartbeat_interval(len(self._by_agent))

    def hear(self, agent_id: str) -> None:
        """Note a sign of life of an agent that holds no connection."""
        self._heard[agent_id] = time.monotonic()

    def all(self) -> list[Connection]:
        """Return every connection."""
        return list(self._by_agent.values())

    def get(self, agent_id: str) -> Connection | None:
        """Return an agent's connection."""
        return self._by_agent.get(agent_id)

    def add(self, connection: Connection) -> None:
        """Put a new session in the place of an older one, which ends."""
        if (older := self._by_agent.get(connection.agent_id)) is not None:
            older.end()
        self._by_agent[connection.agent_id] = connection

    def remove(self, connection: Connection) -> None:
        """Forget a connection unless a newer one took its place."""
        connection.end()
        if self._by_agent.get(connection.agent_id) is connection:
            del self._by_agent[connection.agent_id]

    def reserve(self, agent_id: str) -> Connection | None:
        """Take a slot of a connected agent whose last renewal is fresh enough to carry a permit, or return None."""
        connection = self._by_agent.get(agent_id)
        if connection is None or connection.free < 1 or not self.permits(connection):
            return None
        connection.reserved += 1
        return connection

    def permits(self, connection: Connection) -> bool:
        """Say whether an agent's last renewal is fresh enough to carry a permit."""
        fresh = time.monotonic() - connection.heard_at <= limits.permit_ttl(self.heartbeat)
        return fresh and connection.beat > 0 and self._by_agent.get(connection.agent_id) is connection

    def heard(self) -> dict[str, float]:
        """Return how many seconds ago each agent was heard, and forget those that hold no connection."""
        heard, self._heard = self._heard, {}
        heard |= {c.agent_id: c.heard_at for c in self._by_agent.values()}
        now = time.monotonic()
        return {agent: round(now - at, 1) for agent, at in heard.items()}
