"""An agent without hands: it speaks the real WebSocket and says at once that what it was given has succeeded."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Literal

from plumber_agent.ws_peer import WsPeer
from plumber_core.model.limits import HEARTBEAT
from plumber_core.protocol.frames import STDOUT, encode_frame
from plumber_core.protocol.messages import Assignment, Held, Outcome, Renew, Report, Welcome
from support.hand_agent import greet

Done = Callable[[str, Assignment], Literal["failed"] | None]


class SwiftAgent:
    """One connected agent. ``done`` gets each assignment as it is carried out, and may say that it fails."""

    def __init__(self, name: str, peer: WsPeer, welcome: Welcome, done: Done) -> None:
        self.name = name
        self._peer, self._done = peer, done
        self._held: dict[str, Assignment] = {}
        self._session, self._epoch = welcome.session, welcome.epoch

    @classmethod
    async def connect(cls, url: str, name: str, token: str, done: Done) -> SwiftAgent:
        """Connect and say hello."""
        peer, welcome = await greet(url, token)
        return cls(name, peer, welcome, done)

    async def serve(self) -> None:
        """Renew and carry out until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keep_renewing())
            async for delivery in self._peer.deliveries():
                if isinstance(delivery, Assignment):
                    tasks.create_task(self._carry_out(delivery))

    async def _keep_renewing(self) -> None:
        beat = 1
        while True:
            await _heartbeat()
            beat += 1
            await self._renew(beat)

    async def _renew(self, beat: int) -> None:
        have = tuple(Held(attempt, "running") for attempt in self._held)
        await self._peer.renew(Renew(self._session, beat, self._epoch, have))

    async def _carry_out(self, given: Assignment | None) -> None:
        while given is not None and given.attempt not in self._held:
            self._held[given.attempt] = given
            state = self._done(self.name, given) or "succeeded"
            tail = encode_frame(STDOUT, 1, f"{self.name}\n".encode())
            outcome = Outcome(state, int(state != "succeeded"), log_end=len(tail))
            report = Report(self._session, given.attempt, outcome, self._epoch, 0, tail)
            given = (await self._peer.report(report)).next

    async def close(self) -> None:
        await self._peer.close()


async def _heartbeat() -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(HEARTBEAT):
            await asyncio.Event().wait()


@contextlib.asynccontextmanager
async def swift_agents(configs: dict[str, Any], urls: list[str], done: Done) -> AsyncIterator[None]:
    """Serve as all the agents of ``configs`` (agent.json by name), spread over the servers at ``urls``."""
    agents = [
        await SwiftAgent.connect(urls[number % len(urls)], name, config["token"], done)
        for number, (name, config) in enumerate(configs.items())
    ]
    serving = [asyncio.create_task(agent.serve()) for agent in agents]
    try:
        yield
    finally:
        for task in serving:
            task.cancel()
        failures = await asyncio.gather(*serving, return_exceptions=True)
        for agent in agents:
            await agent.close()
    assert all(isinstance(failure, asyncio.CancelledError) for failure in failures), failures
