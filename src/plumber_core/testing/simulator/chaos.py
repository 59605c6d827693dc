"""Makes things go wrong, once a second, and heals them all at the end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from plumber_core.model.states import AgentState
from plumber_core.testing.simulator.loop import Killed, Process, current
from plumber_core.testing.simulator.machine import FOLDER
from plumber_core.testing.simulator.truth import Truth

if TYPE_CHECKING:
    from plumber_core.testing.simulator.agent import SimulatedAgent
    from plumber_core.testing.simulator.server import SimulatedServer
    from plumber_core.testing.simulator.simulation import Simulation

PAUSES = (1.0, 4.0, 8.0, 20.0)
STALLS = (8.0, 16.0, 25.0)
ON_THE_WAY = ("link.assigned", "link.permit_got", "link.spawn_asked", "supervisor.spawning_written")
"""Points between the receipt of an attempt and its start."""


class Chaos:
    """The faults that befall processes, machines and the network; those of single messages are elsewhere."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation
        self._faults, self._chance = simulation.faults, simulation.chance("chaos")
        self._loop = simulation.loop
        self._truth: Truth = simulation.truth
        self._nested = False

    def tick(self) -> None:
        """One second's faults."""
        if not self._faults.active:
            return
        for agent in list(self._simulation.agents):
            self._trouble(agent)
        for server in self._simulation.servers:
            self._trouble_server(server)
        self._trouble_database()
        self._loop.call_later(1.0, self.tick)

    def _trouble_database(self) -> None:
        database = self._simulation.database
        if self._faults.rates["rollback"] and not database.rolled_back:
            database.snapshot()
            self._loop.call_later(0.5, database.snapshot)
            if self._faults.happens("rollback"):
                database.roll_back(self._chance.choice((0.5, 3.0, 15.0)))
        if self._faults.happens("database_away"):
            database.away = True
            self._loop.call_later(self._chance.choice((0.5, 2.0, 8.0)), setattr, database, "away", False)

    def pass_point(self, name: str) -> None:
        """Let the process die, or stand still, at one of its named points.

        Raises:
            Killed: it has died.
        """
        process = current()
        if process is None or not process.alive or process is self._simulation.people:
            return
        if name in ON_THE_WAY and self._faults.happens("stall"):
            self._stall(process)
        if not self._faults.happens("crash_point"):
            return
        if self._chance.random() < 0.6:
            process.kill()
            raise Killed
        self._stand_still(process)

    def _stall(self, process: Process) -> None:
        """Let a machine stand still for long between the receipt of an attempt and its start."""
        for agent in self._simulation.agents:
            machine = agent.machine
            supervisor = machine.supervisor.process if machine.supervisor else None
            if process not in (machine.link, supervisor):
                continue
            for other in (machine.link, supervisor):
                if other is not None and other is not process:
                    self._pause(other, STALLS)
            self._stand_still(process, STALLS)

    def _stand_still(self, process: Process, pauses: tuple[float, ...] = PAUSES) -> None:
        """Freeze it here; what is no task can even wait here while the rest of the world goes on."""
        if not process.name.endswith(".supervisor") or self._nested:
            self._pause(process, pauses)
            return
        self._nested = process.inside = True
        self._loop.run(min(self._loop.time() + self._chance.choice(pauses), self._faults.until), lambda: False)
        self._nested = process.inside = False
        process.thaw()
        if not process.alive:
            raise Killed

    def _trouble(self, agent: SimulatedAgent) -> None:
        happens, machine = self._faults.happens, agent.machine
        if happens("link_kill") and machine.link is not None:
            machine.link.kill()
        if happens("supervisor_kill") and machine.supervisor is not None:
            machine.supervisor.process.kill()
        if happens("reboot"):
            machine.crash()
        if happens("freeze"):
            self._freeze(agent)
        if happens("partition"):
            self._partition(agent)
        if happens("wall_jump"):
            machine.clock.wall_error += self._chance.choice((-400_000_000, -3600, 3600, 90_000, 400_000_000))
        if happens("disk_full"):
            machine.disk.full = True
            self._loop.call_later(self._chance.choice((1.0, 5.0, 12.0)), setattr, machine.disk, "full", False)
        if happens("drain"):
            self._drain(agent)
        if happens("clone"):
            self._clone(agent)
        self._start_again(agent)

    def _start_again(self, agent: SimulatedAgent) -> None:
        link = agent.machine.link
        if (link is None or not link.alive) and self._chance.random() < 0.3:
            agent.boot()

    def _freeze(self, agent: SimulatedAgent) -> None:
        machine = agent.machine
        supervisor = machine.supervisor.process if machine.supervisor else None
        chosen = self._chance.choice(((machine.link,), (supervisor,), (machine.link, supervisor)))
        for process in chosen:
            if process is not None:
                self._pause(process)

    def _pause(self, process: Process, pauses: tuple[float, ...] = PAUSES) -> None:
        process.freeze()
        self._loop.call_later(self._chance.choice(pauses), process.thaw)

    def _drain(self, agent: SimulatedAgent) -> None:
        self._decree(agent.id, AgentState.DRAINING)
        self._loop.call_later(self._chance.choice((2.0, 8.0)), self._decree, agent.id, AgentState.ACTIVE)

    def _decree(self, agent: str, state: AgentState) -> None:
        for server in [server for server in self._simulation.servers if server.serving][:1]:
            server.process.spawn(server.decree(agent, state))

    def _clone(self, agent: SimulatedAgent) -> None:
        """Copy the state folder to another machine, once, and start an agent there."""
        simulation = self._simulation
        if self._truth.cloned or not agent.machine.disk.names(FOLDER):
            return
        self._truth.cloned = True
        copy = simulation.new_agent(agent.id, f"{agent.machine.name}-copy", agent.machine.disk.copy(self._chance))
        simulation.agents.append(copy)
        copy.boot()

    def _partition(self, agent: SimulatedAgent) -> None:
        seconds = self._chance.choice((3.0, 12.0, 25.0))
        for server in self._simulation.servers:
            ways = ((agent.machine.name, server.name), (server.name, agent.machine.name))
            for way in self._chance.choice((ways[:1], ways[1:], ways)):
                self._simulation.network.partition(*way, seconds)

    def _trouble_server(self, server: SimulatedServer) -> None:
        happens = self._faults.happens
        if not server.process.alive:
            if self._chance.random() < 0.3:
                server.boot()
            return
        if happens("server_crash"):
            server.process.kill()
        if happens("freeze"):
            self._pause(server.process)
        if happens("goodbye"):
            server.say_goodbye()
        for held in sorted(server.held, key=lambda held: held.number):
            if happens("cut"):
                held.cut()

    def heal(self) -> None:
        """Put everything right, and keep it so."""
        self._simulation.database.away = False
        for server in self._simulation.servers:
            server.process.thaw()
            if not server.process.alive:
                server.boot()
        for agent in self._simulation.agents:
            self._heal(agent)
        self._loop.call_later(1.0, self._look_after)

    def _heal(self, agent: SimulatedAgent) -> None:
        machine = agent.machine
        machine.disk.full = False
        for process in (machine.link, machine.supervisor.process if machine.supervisor else None):
            if process is not None:
                process.thaw()
        if not agent.copied:
            agent.boot()

    def _look_after(self) -> None:
        """What init does: start again what has ended. And an operator: drains are over, unless copies are in conflict,
        for which of them is real nobody decides here."""
        for agent in self._simulation.agents:
            if not agent.copied:
                agent.boot()
        for (drained,) in self._simulation.database.rows(
            "SELECT id FROM agents WHERE state = 'draining' AND NOT conflict"
        ):
            self._decree(drained, AgentState.ACTIVE)
        self._loop.call_later(1.0, self._look_after)
