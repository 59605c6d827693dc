"""Wake-ups: hints that something was committed. They may be lost; one sweep per server stands behind them.

In this process they are immediate. To other replicas they go by NOTIFY from one relay, merged while one is under way:
never a message a row, at most about twenty a second, and none where there is no other replica.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from plumber_core.engine.event_tail import EventTail
from plumber_core.errors import PlumberError
from plumber_core.model.views import LogGrowth
from plumber_core.ports import Store

RELAY_INTERVAL = 0.05
IDS_PER_MESSAGE = 60
"""A payload holds at most 8000 bytes."""


@dataclass(eq=False)
class Subscription:
    """One follower: woken by events, of one execution or all, and told how logs have grown."""

    execution: str | None
    tail: EventTail
    growth: dict[str, LogGrowth] = field(default_factory=dict)
    ended: bool = False
    _signal: asyncio.Event = field(default_factory=asyncio.Event)

    def wake(self) -> None:
        """Let ``wait`` return."""
        self._signal.set()

    async def wait(self, timeout: float) -> None:
        """Wait for a wake-up, at most ``timeout`` seconds."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self._signal.wait()
        self._signal.clear()

    def take_growth(self) -> list[LogGrowth]:
        """Return and forget the growth since the last call, the newest of each attempt."""
        taken, self.growth = list(self.growth.values()), {}
        return taken


@dataclass(eq=False)
class _Topic:
    """All who follow the same here, and what they have in common."""

    tail: EventTail
    followers: set[Subscription] = field(default_factory=set)


class Wakeups:
    """Local followers and the relay to other replicas."""

    def __init__(self, store: Store, server_id: str) -> None:
        self._store = store
        self._server_id = server_id
        self._topics: dict[str | None, _Topic] = {}
        self._agents: set[str] = set()
        self._pools: set[str] = set()
        self._executions: set[str] = set()
        self._growth: dict[str, LogGrowth] = {}
        self._work = asyncio.Event()
        self._noticing: set[asyncio.Event] = set()
        self.others = False
        """Whether another replica was alive at the last sweep."""
        self.on_agent: Callable[[str], None] = lambda agent: None
        self.on_pool: Callable[[str], None] = lambda pool: None

    def subscribe(self, execution: str | None) -> Subscription:
        """Return a new follower; ``unsubscribe`` it."""
        topic = self._topics.setdefault(execution, _Topic(EventTail(self._store, execution)))
        subscription = Subscription(execution, topic.tail)
        topic.followers.add(subscription)
        return subscription

    def unsubscribe(self, subscription: Subscription) -> None:
        """Forget a follower."""
        topic = self._topics.get(subscription.execution)
        if topic is None or topic.tail is not subscription.tail:
            return
        topic.followers.discard(subscription)
        if not topic.followers:
            del self._topics[subscription.execution]

    @contextlib.contextmanager
    def noticing(self) -> Iterator[asyncio.Event]:
        """Yield what is set whenever events were committed, for those who read them in their own time."""
        noticed = asyncio.Event()
        self._noticing.add(noticed)
        try:
            yield noticed
        finally:
            self._noticing.discard(noticed)

    def end_all(self) -> None:
        """End every follower: this replica stops, or what was read is of another database."""
        topics, self._topics = self._topics, {}
        for topic in topics.values():
            topic.tail.changed()
            for follower in topic.followers:
                follower.ended = True
                follower.wake()

    def changed(self, execution: str | None) -> None:
        """Events of this execution (or of none in particular) were committed here."""
        self._tell(execution)
        if self.others:
            self._executions.add(execution or "")
            self._work.set()

    def grew(self, growth: LogGrowth) -> None:
        """A log has grown here."""
        self._tell_growth(growth)
        if self.others:
            self._growth[growth.attempt] = growth
            self._work.set()

    def agent(self, agent_id: str) -> None:
        """Another replica may hold this agent, and there is something for it."""
        if self.others:
            self._agents.add(agent_id)
            self._work.set()

    def pool(self, pool: str) -> None:
        """Another replica may hold an agent of this pool that is free."""
        if self.others:
            self._pools.add(pool)
            self._work.set()

    def _tell(self, execution: str | None) -> None:
        for noticed in self._noticing:
            noticed.set()
        for key in {None, execution}:
            if (topic := self._topics.get(key)) is not None:
                topic.tail.changed()
                for follower in topic.followers:
                    follower.wake()

    def _tell_growth(self, growth: LogGrowth) -> None:
        if (topic := self._topics.get(growth.execution)) is not None:
            for follower in topic.followers:
                follower.growth[growth.attempt] = growth
                follower.wake()

    async def greet(self) -> None:
        """Let the other replicas know of this one now: their next sweep would find it seconds later."""
        if self.others:
            with contextlib.suppress(PlumberError):
                await self._store.notify(self._payload([]))

    async def relay(self) -> None:
        """Send hints to the other replicas until cancelled: at once, then merged."""
        while True:
            await self._work.wait()
            self._work.clear()
            for payload in self._payloads():
                with contextlib.suppress(PlumberError):
                    await self._store.notify(payload)
            await asyncio.sleep(RELAY_INTERVAL)

    def _payloads(self) -> list[str]:
        hints: list[dict[str, object]] = [{"a": agent} for agent in self._agents]
        hints += [{"p": pool} for pool in self._pools]
        hints += [{"x": execution} for execution in self._executions]
        hints += [{"g": [g.execution, g.step_execution, g.attempt, g.end]} for g in self._growth.values()]
        self._agents, self._pools, self._executions, self._growth = set(), set(), set(), {}
        pieces = (hints[n : n + IDS_PER_MESSAGE // 2] for n in range(0, len(hints), IDS_PER_MESSAGE // 2))
        return [self._payload(piece) for piece in pieces]

    def _payload(self, hints: list[dict[str, object]]) -> str:
        return json.dumps({"s": self._server_id, "h": hints}, separators=(",", ":"))

    def heard(self, payload: str) -> None:
        """Act on another replica's hints; what cannot be read is nobody's loss."""
        try:
            message = json.loads(payload)
            if message["s"] == self._server_id:
                return
            self.others = True
            for hint in message["h"]:
                self._act(hint)
        except (ValueError, KeyError, TypeError):
            return

    def _act(self, hint: dict[str, Any]) -> None:
        if "a" in hint:
            self.on_agent(str(hint["a"]))
        elif "p" in hint:
            self.on_pool(str(hint["p"]))
        elif "x" in hint:
            self._tell(str(hint["x"]) or None)
        elif isinstance(hint.get("g"), list):
            grown: list[Any] = hint["g"]
            names = ("execution", "step_execution", "attempt", "end")
            fields: dict[str, Any] = dict(zip(names, grown, strict=True))
            self._tell_growth(LogGrowth(**fields))
