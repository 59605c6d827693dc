"""An agent driven by hand over the engine's own peer: what a test says, it does, and nothing else."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any, Self

from plumber_core.app import Plumber
from plumber_core.model.views import AgentConfig
from plumber_core.protocol.frames import STDOUT, encode_frame
from plumber_core.protocol.messages import (
    Assignment,
    Delivery,
    Held,
    Hello,
    Load,
    LogChunk,
    NeverRan,
    Outcome,
    Renew,
    Renewed,
    Report,
    Reported,
    Start,
    Welcome,
)
from plumber_core.protocol.peer import Peer
from support.waiting import wait_until


@dataclass
class ScriptedAgent:
    """One agent; ``connect`` opens a session, ``beat`` renews it, deliveries are queued."""

    plumber: Plumber
    config: AgentConfig
    boot_id: str = "boot-1"
    incarnation: int = 0
    token: str | None = None
    held: dict[str, str] = field(default_factory=dict)
    number: int = 0
    epoch: int = 1
    peer: Peer | None = None
    welcome: Welcome | None = None
    inbox: asyncio.Queue[Delivery] = field(default_factory=asyncio.Queue)
    _listener: asyncio.Task[None] | None = None

    @classmethod
    async def create(cls, plumber: Plumber, name: str, **labels: str) -> Self:
        """Create an agent and connect it, ready for steps."""
        created = await plumber.agents.create(name=name, labels=labels)
        agent = cls(plumber, created.config)
        await agent.connect()
        return agent

    @property
    def session(self) -> str:
        """The session that the server gave."""
        assert self.welcome is not None
        return self.welcome.session

    async def hello(self, **changes: Any) -> Welcome:
        """Say hello on a new connection and return the answer as it is."""
        self.peer = await self.plumber.agent_peer(self.config.token)
        self.incarnation += 1
        values: dict[str, Any] = {
            "incarnation": self.incarnation,
            "nonce": f"nonce-{self.incarnation}",
            "boot_id": self.boot_id,
            "epoch": self.epoch,
            "version": "test",
            "token": self.token,
            "have": tuple(Held(attempt, "running") for attempt in self.held),
        }
        self.welcome = await self.peer.hello(Hello(**{**values, **changes}))
        return self.welcome

    async def connect(self, **changes: Any) -> Welcome:
        """Open a session, listen to it and send the first heartbeat."""
        welcome = await self.hello(**changes)
        if welcome.status == "epoch":
            self.epoch = welcome.epoch
            welcome = await self.hello(**changes)
        assert welcome.status == "ok", welcome
        assert self.peer is not None
        self.token, self.number = welcome.session, 0
        self._listener = asyncio.create_task(self._listen(self.peer))
        await self.beat()
        await wait_until(self._asked)
        return welcome

    def _asked(self) -> bool:
        """Whether the server has looked for steps that waited for this agent: from now on new ones are pushed."""
        connection = self.plumber._engine.connections.get(self.config.id)
        if connection is None or connection.free <= 0:
            return True
        return not (connection.backlog or connection.pooled or connection.claiming.locked())

    async def _listen(self, peer: Peer) -> None:
        async for delivery in peer.deliveries():
            self.inbox.put_nowait(delivery)

    async def disconnect(self) -> None:
        """Break the connection."""
        if self.peer is not None:
            await self.peer.close()
        if self._listener is not None:
            await asyncio.gather(self._listener, return_exceptions=True)

    async def beat(self, *held: str, refuses: str = "", load: Load | None = None) -> Renewed:
        """Send a heartbeat."""
        assert self.peer is not None
        self.number += 1
        have = tuple(Held(attempt, "running") for attempt in (*self.held, *held))
        return await self.peer.renew(Renew(self.session, self.number, self.epoch, have, refuses=refuses, load=load))

    async def next(self, timeout: float = 10.0) -> Delivery:
        """Wait for the next delivery."""
        async with asyncio.timeout(timeout):
            return await self.inbox.get()

    async def take(self) -> Assignment:
        """Wait for an assignment and journal it."""
        delivery = await self.next()
        assert isinstance(delivery, Assignment), delivery
        self.held[delivery.attempt] = "running"
        return delivery

    async def report(self, attempt: str, output: bytes = b"", **outcome: Any) -> Reported:
        """Report an end, by default a success, with its output in the tail."""
        assert self.peer is not None
        tail = encode_frame(STDOUT, 1, output) if output else b""
        values = {"state": "succeeded", "exit_code": 0, "log_end": len(tail), **outcome}
        reported = await self.peer.report(Report(self.session, attempt, Outcome(**values), self.epoch, 0, tail))
        self.held.pop(attempt, None)
        if reported.next is not None:
            self.held[reported.next.attempt] = "running"
        return reported

    async def start(self, attempt: str) -> str:
        """Ask for leave to start an attempt and return the answer."""
        assert self.peer is not None
        return (await self.peer.start(Start(self.session, attempt, self.boot_id, self.epoch))).answer

    async def append(self, attempt: str, offset: int, data: bytes) -> int:
        """Append log bytes and return the durable end."""
        assert self.peer is not None
        return (await self.peer.append(LogChunk(self.session, attempt, offset, data))).end

    async def never_ran(self, attempt: str, boot_id: str | None = None, reason: str = "test") -> None:
        """Give an attempt back with proof."""
        assert self.peer is not None
        self.held.pop(attempt, None)
        await self.peer.never_ran(NeverRan(self.session, attempt, boot_id or self.boot_id, reason, self.epoch))
