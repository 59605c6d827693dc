"""One simulated agent: the product's link on a simulated machine, started again whenever it ends."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path

from plumber_core.errors import AgentCopied, PlumberError
from plumber_core.protocol.peer import Disconnected, Peer, PeerError
from plumber_core.runner.journal import read_contents
from plumber_core.runner.ledger import Entry, Ledger
from plumber_core.runner.loop import AgentLoop
from plumber_core.runner.session_chain import SessionChain
from plumber_core.runner.supervision import SupervisorClient
from plumber_core.runner.wire import JOURNAL_NAME
from plumber_core.runner.world import World
from plumber_core.testing.simulator.loop import Process
from plumber_core.testing.simulator.machine import FOLDER, SimulatedLauncher, SimulatedMachine
from plumber_core.testing.simulator.network import HeldPeer, Network, PollingPeer
from plumber_core.testing.simulator.server import SimulatedServer


class SimulatedAgent:
    """An agent on its machine. ``copied`` is set once it has learnt that it is an old copy of another."""

    def __init__(
        self,
        id: str,
        machine: SimulatedMachine,
        network: Network,
        servers: Callable[[], list[SimulatedServer]],
        chance: random.Random,
    ) -> None:
        self.id, self.machine = id, machine
        self._network, self._servers, self._chance = network, servers, chance
        self.loop: AgentLoop | None = None
        self.copied = False

    def boot(self) -> None:
        """Start the link."""
        machine = self.machine
        if machine.link is not None and machine.link.alive:
            return
        machine.link = Process(machine.loop, f"{machine.name}.link")
        machine.link.spawn(self._live())

    def _make(self) -> AgentLoop:
        machine, folder = self.machine, Path(FOLDER)
        launcher = SimulatedLauncher(machine)
        world = World(machine.clock, machine.disk, self._chance)
        return AgentLoop(
            lambda: SupervisorClient.attach(folder, launcher=launcher, disk=machine.disk),
            self._connect,
            SessionChain(folder, machine.disk),
            workdir=Path("/"),
            slots=4,
            world=world,
        )

    def held(self) -> dict[str, Entry]:
        """Return the ends in its journal that it has not been told to forget."""
        data = self.machine.disk.content(f"{FOLDER}/{JOURNAL_NAME}") or b""
        ledger = Ledger()
        for record in read_contents(data).records:
            ledger.apply(record)
        return {id_: entry for id_, entry in ledger.entries.items() if entry.state == "exited"}

    @property
    def idle(self) -> bool:
        """Whether it is connected and has nothing to tell any more."""
        if self.copied:
            return True
        link = self.machine.link
        connected = self.loop is not None and self.loop.connected.is_set() and link is not None and link.alive
        return connected and not self.machine.commands and not self.held()

    async def _live(self) -> None:
        process = self.machine.link
        assert process is not None
        try:
            self.loop = self._make()
            await self.loop.run()
        except AgentCopied:
            self.copied = True
        except (PlumberError, PeerError):
            pass
        process.kill()

    async def _connect(self) -> Peer:
        await asyncio.sleep(self._network.faults.network_delay())
        servers = self._servers()
        if not servers:
            raise Disconnected("connection refused")
        server, link = self._chance.choice(servers), self.machine.link
        assert link is not None
        kind = PollingPeer if self._network.faults.rates["polling"] else HeldPeer
        return kind(self._network, self.machine.name, link, server, self.id)
