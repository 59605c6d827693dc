"""``AgentLoop``: the link between a supervisor's commands and a control plane, whatever carries its messages."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from plumber_core.errors import AgentCopied, Unavailable
from plumber_core.model.limits import AGENT_SLOTS
from plumber_core.protocol.messages import ExecutorInfo, Load, Welcome
from plumber_core.protocol.peer import Disconnected, Peer, PeerError, Refused, SessionOver
from plumber_core.runner.acceptance import Acceptance, Room
from plumber_core.runner.attempts import Attempts, Tracked
from plumber_core.runner.backoff import LONGEST, Backoff
from plumber_core.runner.commands import Surroundings
from plumber_core.runner.greeting import CopyIsAlive, Greeter, Profile
from plumber_core.runner.scope import TaskScope
from plumber_core.runner.session_chain import SessionChain
from plumber_core.runner.sessions import Bench, Farewell, Session
from plumber_core.runner.slots import Slots
from plumber_core.runner.supervision import Exited, SupervisorClient, SupervisorEvent, SupervisorGone
from plumber_core.runner.world import WORLD, World
from plumber_core.version import __version__

SHELL = ExecutorInfo("shell", summary="Runs a command with a shell.")
log = logging.getLogger("plumber.agent")


class _Stopped(Exception):
    """``stop`` was called."""


class AgentLoop:
    """Keeps an agent connected and its work going, from ``run`` until ``stop``.

    Args:
        attach: finds or starts the supervisor; called again when the supervisor died.
        connect: makes one connection to the control plane; called again when it broke.
        chain: the session chain in the agent's state folder.
        slots: how many commands may run at once.
        facts: what the agent says of its host.
        executors: what it can run, known from the start.
        plugins: the ``[plugins]`` table for those executors that are plugins.
        describe: finds out what else it can run; called once, in the background.
        room: says whether the disk has room for more steps.
        workdir: where commands run that name no path.
        world: its clock, disk and chance.
        load: how busy its host is.
    """

    def __init__(
        self,
        attach: Callable[[], Awaitable[SupervisorClient]],
        connect: Callable[[], Awaitable[Peer]],
        chain: SessionChain,
        *,
        workdir: Path,
        slots: int = AGENT_SLOTS,
        facts: dict[str, str] | None = None,
        version: str = __version__,
        executors: tuple[ExecutorInfo, ...] = (SHELL,),
        plugins: Mapping[str, Any] | None = None,
        describe: Callable[[], Awaitable[tuple[ExecutorInfo, ...]]] | None = None,
        room: Room | None = None,
        world: World = WORLD,
        load: Callable[[], Load | None] = lambda: None,
    ) -> None:
        self._attach = attach
        self._connect = connect
        self._chain = chain
        self._greeter = Greeter(chain, Profile(slots, version, facts or {}))
        self._workdir = workdir
        self._executors = executors
        self._plugins = plugins or {}
        self._describe = describe
        self._load = load
        self._attempts = Attempts()
        self._acceptance = Acceptance(room, self._attempts.any_restarts)
        self._draining: asyncio.Task[None] | None = None
        self._slots = Slots(self._attempts, slots, world.clock)
        self._world = world
        self._backoff = Backoff(world.chance)
        self._stop = asyncio.Event()
        self._kill = False
        self._session: Session | None = None
        self.connected = asyncio.Event()
        """Set while there is a session."""

    def stop(self, *, kill: bool = False, drain: float = 0.0) -> None:
        """End ``run``. Commands go on under their supervisor, unless ``kill`` ends them and it.

        With ``drain`` no more steps are taken, and ``run`` ends when all that this agent has is told, or after so many
        seconds; said again it ends at once.
        """
        self._kill = kill
        if drain <= 0 or self._acceptance.stopping:
            self._stop.set()
            return
        self._acceptance.stopping = True
        self._draining = asyncio.get_running_loop().create_task(self._drain(drain))

    async def _drain(self, seconds: float) -> None:
        log.info("Taking no more steps; waiting up to %g s for those that run.", seconds)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._attempts.all_told()
        self._stop.set()

    async def run(self) -> None:
        """Serve until ``stop``.

        Raises:
            Refused: the credential is not accepted.
            AgentCopied: this is an old copy of an agent that has gone on.
            LinkBusy: another agent uses the same state folder.
        """
        supervisor: SupervisorClient | None = await self._attach()
        while supervisor is not None:
            try:
                self._chain.load()
                await self._serve(supervisor)
            except _Stopped:
                return
            except SupervisorGone:
                log.warning("The supervisor is gone; starting another one.")
            finally:
                await self._let_go(supervisor)
            supervisor = await self._attach_again()

    async def _attach_again(self) -> SupervisorClient | None:
        while not await self._stopped_within(self._backoff.next()):
            try:
                return await self._attach()
            except Unavailable as error:
                log.error("%s", error)
        return None

    async def _stopped_within(self, seconds: float) -> bool:
        try:
            async with asyncio.timeout(seconds):
                return await self._stop.wait()
        except TimeoutError:
            return False

    async def _let_go(self, supervisor: SupervisorClient) -> None:
        try:
            if self._kill:
                await supervisor.shutdown(kill=True, timeout=5.0)
            else:
                await supervisor.detach()
        except Unavailable as error:
            log.warning("%s", error)

    async def _serve(self, supervisor: SupervisorClient) -> None:
        boot = self._world.clock.boot_id()
        bench = Bench(
            supervisor,
            self._attempts,
            self._slots,
            boot,
            lambda: self._executors,
            self._acceptance,
            self._world,
            self._load,
        )
        self._attempts.on_change = self._attend
        async with TaskScope() as scope:
            scope.start(self._until_stopped())
            scope.start(self._follow(supervisor))
            scope.start(self._stay_connected(bench))
            if supervisor.version != __version__:
                scope.start(self._replace(supervisor))
            if self._describe is not None:
                scope.start(self._learn_executors(self._describe))
            await scope.wait()

    async def _learn_executors(self, describe: Callable[[], Awaitable[tuple[ExecutorInfo, ...]]]) -> None:
        await self.connected.wait()
        self._describe = None
        try:
            self._executors = await describe() or self._executors
        except (OSError, ValueError, TimeoutError) as error:
            log.warning("Only shell steps can be run here: %s", error)

    async def _replace(self, supervisor: SupervisorClient) -> None:
        """Go on with the supervisor of another release while it has commands; then have one of this release."""
        await self.connected.wait()
        await self._attempts.none_runs()
        log.info("Replacing the supervisor of release %s.", supervisor.version or "?")
        with contextlib.suppress(Unavailable):  # something was started in this moment: the next link goes on with it
            await supervisor.shutdown(kill=False)

    async def _until_stopped(self) -> None:
        await self._stop.wait()
        raise _Stopped

    async def _follow(self, supervisor: SupervisorClient) -> None:
        await supervisor.follow(self._hear)
        raise SupervisorGone

    def _hear(self, event: SupervisorEvent) -> None:
        self._attempts.apply(event)
        if isinstance(event, Exited):
            self._slots.freed()

    def _attend(self, tracked: Tracked) -> None:
        if self._session is not None:
            self._session.attend(tracked)

    async def _stay_connected(self, bench: Bench) -> None:
        while True:
            # Nobody hears of an exit now, so the disk has to.
            await bench.supervisor.durable_now(True)
            delay = await self._one_connection(bench)
            log.debug("Next try in %.1f s.", delay)
            await asyncio.sleep(delay)

    async def _one_connection(self, bench: Bench) -> float:
        """Connect and serve; return the seconds to wait before the next try."""
        try:
            await self._connect_and_converse(bench)
        except Farewell as farewell:
            log.info("The server said goodbye; back in %.1f s.", farewell.delay)
            return farewell.delay or self._backoff.next()
        except CopyIsAlive as error:
            log.error("%s: no steps are taken until an operator has decided which one is real.", error)
            return LONGEST
        except (Refused, AgentCopied, SupervisorGone):
            raise
        except (PeerError, Unavailable) as error:
            log.warning("Not connected: %s", error)
        except Exception:
            log.exception("The connection ended by a fault of this program.")
        return self._backoff.next()

    async def _connect_and_converse(self, bench: Bench) -> None:
        peer = await self._connect()
        try:
            welcome, opened = await self._greeter.open(peer, bench)
            async with TaskScope() as scope:
                scope.start(self._hold_sessions(peer, bench, welcome, opened))
                scope.start(self._listen(peer))
                await scope.wait()
        finally:
            await peer.close()

    async def _listen(self, peer: Peer) -> None:
        async for delivery in peer.deliveries():
            if self._session is not None:
                self._session.deliver(delivery)
        raise Disconnected("the connection was closed")

    async def _hold_sessions(self, peer: Peer, bench: Bench, welcome: Welcome, opened: float) -> None:
        while True:
            try:
                await self._hold(Session(bench, peer, welcome, self._around(welcome), opened), welcome)
            except SessionOver as error:
                log.info("The session is over: %s", error)
            await asyncio.sleep(self._backoff.next())
            welcome, opened = await self._greeter.open(peer, bench)

    def _around(self, welcome: Welcome) -> Surroundings:
        return Surroundings(welcome.agent, welcome.name, self._workdir, plugins=self._plugins)

    async def _hold(self, session: Session, welcome: Welcome) -> None:
        log.info("Connected as %s (%s).", welcome.name or "?", welcome.agent or "?")
        self._session = session
        self.connected.set()
        try:
            await session.run()
        finally:
            if session.proven:
                self._backoff.succeeded()
            self._session = None
            self.connected.clear()
