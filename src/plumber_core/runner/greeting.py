"""Saying hello: the session chain, the inventory, and what the server makes of both."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from plumber_core.crash import crash_point
from plumber_core.errors import AgentCopied
from plumber_core.protocol.messages import ExecutorInfo, Hello, Welcome
from plumber_core.protocol.peer import Disconnected, Peer
from plumber_core.runner.session_chain import SessionChain
from plumber_core.runner.sessions import Bench

ANSWER_WITHIN = 15.0
MAX_EPOCHS = 5
"""Greetings that may be answered with yet another epoch before the connection is given up."""


class CopyIsAlive(Disconnected):
    """Another copy of this agent is alive; an operator has to decide which one is real."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """One incarnation. A repeat, after a lost answer, uses the same one and counts from its first sending."""

    incarnation: int
    nonce: str
    sent: float


@dataclass(frozen=True, slots=True)
class Profile:
    """What an agent says of itself. ``slots`` is how many commands may run at once."""

    slots: int
    version: str
    facts: dict[str, str]


class Greeter:
    """Opens sessions for one agent."""

    def __init__(self, chain: SessionChain, profile: Profile) -> None:
        self._chain = chain
        self._profile = profile
        self._epoch: int | None = None
        self._pending: Greeting | None = None

    async def open(self, peer: Peer, bench: Bench) -> tuple[Welcome, float]:
        """Say hello until there is a session; return the welcome and when its greeting was first sent.

        Raises:
            AgentCopied: this is a restored image of an agent that has gone on since.
            PeerError: no session.
        """
        for _ in range(MAX_EPOCHS):
            greeting = self._pending = self._pending or self._begin(bench)
            welcome = await self._say(greeting, peer, bench)
            crash_point("link.greeted")
            self._pending = None
            if welcome.status == "epoch":
                # Named only once its inventory is whole: a supervisor may die in the middle of this.
                self._epoch = None
                await bench.supervisor.revive(welcome.forgotten)
                self._epoch = welcome.epoch
                continue
            self._judge(welcome)
            bench.attempts.doubt(everything=welcome.epoch != self._chain.epoch)
            self._epoch = None
            self._chain.remember(welcome.session, welcome.epoch)
            return welcome, greeting.sent
        raise Disconnected("the server's epoch does not stand still")

    def _begin(self, bench: Bench) -> Greeting:
        nonce = f"{bench.world.chance.getrandbits(128):032x}"
        return Greeting(self._chain.next_incarnation(nonce), nonce, bench.world.clock.boottime())

    async def _say(self, greeting: Greeting, peer: Peer, bench: Bench) -> Welcome:
        bench.attempts.adopt(await bench.supervisor.inventory())
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                return await peer.hello(self._hello(greeting, bench))
        except TimeoutError:
            raise Disconnected("no answer to the greeting") from None

    def _hello(self, greeting: Greeting, bench: Bench) -> Hello:
        executors: tuple[ExecutorInfo, ...] = bench.executors()
        return Hello(
            incarnation=greeting.incarnation,
            nonce=greeting.nonce,
            boot_id=bench.boot_id,
            epoch=self._chain.epoch if self._epoch is None else self._epoch,
            version=self._profile.version,
            token=self._chain.token,
            slots=self._profile.slots,
            facts=self._profile.facts,
            executors=executors,
            have=bench.attempts.described(),
            install=self._chain.install,
        )

    def _judge(self, welcome: Welcome) -> None:
        if welcome.status == "stale":
            raise AgentCopied
        if not welcome.session:
            raise CopyIsAlive("another copy of this agent is alive")
