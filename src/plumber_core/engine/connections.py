"""Who is connected to this replica: nothing here matters after its death, the database knows everything."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from plumber_core.engine.clock import monotonic
from plumber_core.ids import secret_hash
from plumber_core.model import limits
from plumber_core.model.records import AgentRow, Standing
from plumber_core.model.states import AgentState
from plumber_core.protocol.messages import Assignment, Delivery, Load

TURN = 2.0
"""Seconds for which one lane's steps may follow each other in a slot while others wait for it."""


@dataclass(eq=False)
class Connection:
    """One agent's session on this replica.

    ``have`` is the inventory of the last renewal; ``live`` holds the attempts that take a slot, with when they were
    handed out (monotonic seconds), ``turns`` since when their lanes have had the slot. ``backlog`` says that the
    database may have ready steps that were not handed out, ``pooled`` the same of steps that others may run as well,
    ``handed_at`` when something last was (monotonic), ``refuses`` why the agent takes none for now. ``recorded`` is the
    newest renewal that the database has, ``doubtful`` that steps may have been handed out of which this replica does
    not know, ``load`` what the database does not have yet, ``since`` when the session was known here (monotonic).
    """

    agent_id: str
    name: str
    session: str
    boot_id: str
    epoch: int
    slots: int
    accepts: bool = True
    refuses: str = ""
    beat: int = 0
    recorded: int = 0
    doubtful: bool = False
    load: Load | None = None
    since: float = field(default_factory=monotonic)
    heard_at: float = field(default_factory=monotonic)
    recorded_at: float = field(default_factory=monotonic)
    unrecorded: float = 0.0
    live: dict[str, tuple[Assignment, float]] = field(default_factory=dict)
    turns: dict[str, float] = field(default_factory=dict)
    have: frozenset[str] = frozenset()
    cancelled: dict[str, bool] = field(default_factory=dict)
    reserved: int = 0
    backlog: bool = True
    pooled: bool = True
    handed_at: float = 0.0
    outbox: asyncio.Queue[Delivery | None] = field(default_factory=asyncio.Queue)
    claiming: asyncio.Lock = field(default_factory=asyncio.Lock)
    heir: Connection | None = None
    """Another connection of the same session: its greeting was heard twice. What was under way for this one is its."""

    def __post_init__(self) -> None:
        self.session_hash = secret_hash(self.session)

    def record(self, beat: int) -> None:
        """Note that the database has this renewal. ``unrecorded`` is how long it had none: the reaper, perhaps another
        replica's, took the agent for silent meanwhile, although it was heard here."""
        now = monotonic()
        self.unrecorded = max(self.unrecorded, now - self.recorded_at)
        self.recorded, self.recorded_at = beat, now

    @property
    def free(self) -> int:
        """How many more attempts the agent may hold."""
        return self.slots - len(self.live) - self.reserved if self.accepts and not self.refuses else 0

    def push(self, delivery: Delivery) -> None:
        """Send without waiting; a lost message loses nothing, the next renewal asks."""
        self.newest.outbox.put_nowait(delivery)

    @property
    def newest(self) -> Connection:
        """The connection that the session has now."""
        return self if self.heir is None else self.heir.newest

    def inherit(self, older: Connection) -> None:
        """Go on for an older connection; what has changed while the greeting was answered has to be looked up."""
        older.heir, self.doubtful = self, True

    def suspect(self) -> None:
        """Note that something may have been handed out of which nobody here knows."""
        self.newest.doubtful = True

    def hand(self, assignment: Assignment) -> None:
        """Note a committed assignment."""
        if self.heir is not None:
            return self.heir.hand(assignment)
        now = monotonic()
        self.live[assignment.attempt] = (assignment, now)
        self.handed_at = now
        self.turns[assignment.attempt] = now
        return None

    def may_pass_on(self, attempt: str) -> bool:
        """Say whether the slot of an attempt that ends goes to its successor, past those that wait for one."""
        if not self.accepts or self.refuses or attempt not in self.live:
            return False
        return not (self.backlog or self.pooled) or monotonic() - self.turns[attempt] < TURN

    def pass_on(self, ended: str, assignment: Assignment) -> None:
        """Note that a committed assignment follows an attempt that ended, in its slot and its turn."""
        if self.heir is not None:
            return self.heir.pass_on(ended, assignment)
        began = self.turns.get(ended)
        self.done(ended)
        self.hand(assignment)
        if began is not None:
            self.turns[assignment.attempt] = began
        return None

    def cancel(self, delivery: Delivery, attempt: str, *, kill: bool) -> None:
        """Push a cancel, once for each strength."""
        told = self.cancelled.get(attempt)
        if told is None or (kill and not told):
            self.cancelled[attempt] = kill
            self.push(delivery)

    def done(self, attempt: str) -> None:
        """Give the slot of an ended attempt back."""
        newest = self.newest
        newest.live.pop(attempt, None)
        newest.turns.pop(attempt, None)
        newest.cancelled.pop(attempt, None)

    def prune(self, live: Collection[str], asked: float) -> None:
        """Give back the slots of attempts that were handed out before ``asked`` (monotonic) and are over."""
        ended = [attempt for attempt, (_, handed) in self.live.items() if handed < asked and attempt not in live]
        for attempt in ended:
            self.done(attempt)

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
        self._heard[agent_id] = monotonic()

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
            if older.session == connection.session:
                connection.inherit(older)
        self._by_agent[connection.agent_id] = connection

    def remove(self, connection: Connection) -> None:
        """Forget a connection unless a newer one took its place."""
        connection.end()
        if self._by_agent.get(connection.agent_id) is connection:
            del self._by_agent[connection.agent_id]

    def leave_epoch(self, epoch: int) -> None:
        """Hand nothing more to sessions of other epochs; they end when their agents are heard next."""
        self._by_agent = {agent: c for agent, c in self._by_agent.items() if c.epoch == epoch}

    def follow(self, rows: Mapping[str, AgentRow | Standing], asked: float) -> None:
        """Learn what other replicas were told: who may get steps, and whose session is another one by now.

        Args:
            rows: agents, or their standings, by id.
            asked: before they were read (monotonic): what is known since then may be missing in them.
        """
        for agent, connection in list(self._by_agent.items()):
            if (row := rows.get(agent)) is None:
                continue
            connection.accepts = row.state is AgentState.ACTIVE and not row.conflict
            if connection.since < asked and row.session != connection.session_hash:
                # A greeting that came late, at another replica, has taken its place: the agent has to greet again.
                self.remove(connection)

    def reserve(self, agent_id: str) -> Connection | None:
        """Take a slot of a connected agent whose last renewal is fresh enough to carry a permit, or return None."""
        connection = self._by_agent.get(agent_id)
        if connection is None or connection.free < 1 or not self.permits(connection):
            return None
        connection.reserved += 1
        return connection

    def permits(self, connection: Connection) -> bool:
        """Say whether an agent's last renewal is fresh enough to carry a permit."""
        fresh = monotonic() - connection.heard_at <= limits.permit_ttl(self.heartbeat)
        return fresh and connection.beat > 0 and self._by_agent.get(connection.agent_id) is connection

    def beats(self) -> list[tuple[Connection, int]]:
        """Return every connection with its newest renewal: what the next stored presence covers."""
        return [(connection, connection.beat) for connection in self._by_agent.values()]

    def loads(self) -> dict[str, Load]:
        """Return the agents' loads that the database does not have."""
        return {c.agent_id: c.load for c in self._by_agent.values() if c.load is not None}

    def stored(self, loads: dict[str, Load]) -> None:
        """Note that the database has these."""
        for connection in self._by_agent.values():
            if connection.load is loads.get(connection.agent_id):
                connection.load = None

    def heard(self) -> dict[str, float]:
        """Return how many seconds ago each agent was heard of which the database does not have the newest renewal, and
        forget those that hold no connection."""
        heard, self._heard = self._heard, {}
        heard |= {c.agent_id: c.heard_at for c in self._by_agent.values() if c.beat == 0 or c.beat != c.recorded}
        now = monotonic()
        return {agent: round(now - at, 1) for agent, at in heard.items()}
