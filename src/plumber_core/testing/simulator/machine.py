"""One simulated machine: its clock, disk and commands, the supervisor that runs on it, and the way to that."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plumber_core.errors import LinkBusy, Unavailable
from plumber_core.runner.clock import Clock
from plumber_core.runner.journal import read_contents
from plumber_core.runner.launch import Launcher
from plumber_core.runner.ledger import Entry, Ledger
from plumber_core.runner.machine import Machine
from plumber_core.runner.supervisor import Supervisor
from plumber_core.runner.wire import JOURNAL_NAME
from plumber_core.testing.simulator.commands import Command, Script, SimulatedProcesses
from plumber_core.testing.simulator.disk import SimulatedDisk
from plumber_core.testing.simulator.loop import Process, VirtualLoop, check_alive, current
from plumber_core.testing.simulator.reactor import Listener, SimulatedReactor, SupervisorSocket
from plumber_core.testing.simulator.truth import Truth

FOLDER = "/state"
HOP = 0.002
"""Seconds that a message between link and supervisor takes at most."""
WALL = 1_800_000_000


class SimulatedClock(Clock):
    """A machine's clock: it may run too fast or too slow, jump, and starts anew with each boot."""

    def __init__(self, loop: VirtualLoop, name: str, rate: float) -> None:
        self._loop, self._name = loop, name
        self.rate = rate
        self.boot = 0
        self.skipped = 0.0
        self.wall_error = 0

    def boottime(self) -> float:
        return 1000.0 + self._loop.time() * self.rate + self.skipped

    def wall(self) -> int:
        return WALL + int(self._loop.time()) + self.wall_error

    def boot_id(self) -> str:
        return f"{self._name}-boot-{self.boot}"


class SimulatedMachine:
    """A host with one agent's state folder. ``supervisor`` is the running one."""

    def __init__(self, loop: VirtualLoop, name: str, chance: random.Random, truth: Truth, disk: SimulatedDisk) -> None:
        self.loop, self.name, self.chance, self.truth, self.disk = loop, name, chance, truth, disk
        self.clock = SimulatedClock(loop, name, 1.0)
        self.commands: dict[str, Command] = {}
        self.supervisor: RunningSupervisor | None = None
        self.link: Process | None = None
        self.cannot_start = 0.0
        self.fails = 0.1
        self.start_delay = 0.1
        self._number = 1000

    @property
    def link_alive(self) -> bool:
        """Whether its link runs."""
        return self.link is not None and self.link.alive

    def new_number(self) -> int:
        """Return a number for a process or a descriptor."""
        self._number += 1
        return self._number

    def execute(self, attempt: str, step: str, parent: SimulatedProcesses) -> Command:
        """Start a command for good."""
        command = Command(attempt, self.new_number(), self, parent)
        self.truth.executed(attempt, self.name, step, command.said)
        self.commands[attempt] = command
        Script(self.truth.chance_of(attempt), self.fails).play(command)
        return command

    def ended(self, command: Command) -> None:
        """Note a command's end."""
        del self.commands[command.attempt]
        assert command.status is not None
        self.truth.ended(command.attempt, command.status)

    @property
    def stands(self) -> bool:
        """Whether its supervisor stands still, while its commands go on."""
        process = self.supervisor.process if self.supervisor is not None else None
        return process is not None and process.alive and (process.frozen or process.inside)

    def boot_supervisor(self) -> None:
        """Start a supervisor unless one lives."""
        if self.supervisor is None or not self.supervisor.process.alive:
            self.supervisor = RunningSupervisor(self)

    def crash(self) -> None:
        """Lose power and start again: everything that ran is gone, and so is what was not synced."""
        promised = dict(self.supervisor.promised) if self.supervisor is not None else {}
        if self.supervisor is not None:
            self.supervisor.process.kill()
        if self.link is not None:
            self.link.kill()
        for command in list(self.commands.values()):
            command.parent = None
            command.end(9)
        self.truth.crashed(self.name)
        self.disk.crash()
        self.clock.boot += 1
        self._check_promised(promised)

    def _check_promised(self, promised: dict[str, str]) -> None:
        """I4: what its supervisor took for durable, a start or an exit, is on the disk."""
        ledger = Ledger()
        for record in read_contents(self.disk.content(f"{FOLDER}/{JOURNAL_NAME}") or b"").records:
            ledger.apply(record)
        for attempt, state in sorted(promised.items()):
            if attempt not in ledger.tombstones and not _tells(ledger.entries.get(attempt), state):
                self.truth.violated("I4", f"that {attempt} is {state} was durable on {self.name}, and is gone")
        self.truth.remembers(self.name, ledger.knows)


def _tells(entry: Entry | None, state: str) -> bool:
    """Say whether a record is enough to know that a command has begun, or how it ended."""
    return entry is not None and (state == "running" or entry.state == "exited" or entry.reaped is not None)


class RunningSupervisor:
    """A supervisor process: the product's ``Supervisor``, turned whenever something has happened."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self.machine = machine
        self.process = Process(machine.loop, f"{machine.name}.supervisor")
        self.process.on_death = self._died
        self._processes = SimulatedProcesses(machine)
        self._processes.notice = self.wake
        self._sockets: list[Callable[[], None]] = []
        self._timer: Any = None
        self._awake = False
        self.listener = Listener(machine.new_number())
        self._supervisor: Supervisor | None = None
        self.promised: dict[str, str] = {}
        """The attempts whose starts or exits are durable as far as it knows, with their states."""
        self.process.call_soon(self._begin)

    @property
    def listening(self) -> bool:
        """Whether a link could connect."""
        return self.process.alive and self._supervisor is not None

    def _begin(self) -> None:
        machine = Machine(self.machine.clock, self.machine.disk, self._processes)
        listener: Any = self.listener
        self._supervisor = Supervisor(FOLDER, listener, 30.0, machine)
        reactor: Any = self._supervisor._reactor
        self._reactor: SimulatedReactor = reactor
        self._reactor.sockets[self.listener.fileno()] = self.listener
        self._turn()

    def wake(self) -> None:
        """Have it look at what is ready."""
        if not self._awake and self.listening:
            self._awake = True
            self.process.call_soon(self._turn)

    def _turn(self) -> None:
        """One turn of its loop; a freeze that begins within it holds from the next one on."""
        assert self._supervisor is not None
        self._awake = False
        if not self._supervisor.turn():
            self.process.kill()
            return
        self._note_promises(self._supervisor)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._reactor.busy:
            self.wake()
            return
        left = self._supervisor.deadline() - self.machine.clock.boottime()
        if left < 1e9:
            context = self.process.context.copy()
            self._timer = self.machine.loop.call_later(max(0.0005, min(left, 30.0)), self._turn, context=context)

    def _note_promises(self, supervisor: Supervisor) -> None:
        """Between two turns, with no sync due, everything is durable; in the middle of one nothing is said of it."""
        if supervisor._book.deadline() == float("inf"):
            entries = supervisor._book.ledger.entries
            self.promised = {a: entry.state for a, entry in entries.items() if entry.state in ("running", "exited")}

    def connect(self, link: Process, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Connect a link's protocol."""
        pair = _Pair(self, link, protocol)
        self._sockets.append(pair.break_off)
        self._reactor.sockets[pair.socket.fileno()] = pair.socket
        self.listener.waiting.append(pair.socket)
        self.wake()
        return pair

    def _died(self) -> None:
        for command in self.machine.commands.values():
            if command.parent is self._processes:
                command.parent = None
        for break_off in self._sockets:
            break_off()
        if self._timer is not None:
            self._timer.cancel()


class _Pair(asyncio.Transport):
    """A unix socket between a link and its supervisor; the transport is the link's end."""

    def __init__(self, supervisor: RunningSupervisor, link: Process, protocol: asyncio.Protocol) -> None:
        super().__init__()
        self._supervisor, self._link, self._protocol = supervisor, link, protocol
        self._loop, self._chance = supervisor.machine.loop, supervisor.machine.chance
        self.socket = SupervisorSocket(supervisor.machine.new_number(), self._to_link, self._hung_up)
        self._towards = self._back = 0.0
        self._over = False
        link_death = link.on_death

        def died() -> None:
            link_death()
            self._end_for_supervisor()

        link.on_death = died

    def write(self, data: Any) -> None:
        check_alive()
        self._towards = max(self._towards, self._loop.time() + self._chance.random() * HOP)
        context = self._supervisor.process.context.copy()
        self._loop.call_at(self._towards, self._arrive, bytes(data), context=context)

    def _arrive(self, data: bytes) -> None:
        if not self.socket.ended:
            self.socket.waiting += data
            self._supervisor.wake()

    def close(self) -> None:
        check_alive()
        self._end_for_supervisor()
        self.break_off()

    def _end_for_supervisor(self) -> None:
        self._towards = max(self._towards, self._loop.time())
        self._loop.call_at(self._towards, self._end_now, context=self._supervisor.process.context.copy())

    def _end_now(self) -> None:
        self.socket.ended = True
        self._supervisor.wake()

    def _to_link(self, data: bytes) -> None:
        self._back = max(self._back, self._loop.time() + self._chance.random() * HOP)
        self._loop.call_at(self._back, self._deliver, data, context=self._link.context.copy())

    def _deliver(self, data: bytes) -> None:
        if not self._over:
            self._protocol.data_received(data)

    def _hung_up(self) -> None:
        self.break_off()

    def break_off(self) -> None:
        """Let the link see the end of the connection, after what was sent."""
        self._back = max(self._back, self._loop.time())
        self._loop.call_at(self._back, self._lost, context=self._link.context.copy())

    def _lost(self) -> None:
        if not self._over:
            self._over = True
            self._protocol.connection_lost(None)


class SimulatedLauncher(Launcher):
    """How a link of this machine finds its supervisor."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self._machine = machine

    def prepare(self, state_dir: Path) -> Path:
        return state_dir

    def lock(self, folder: Path) -> Callable[[], None]:
        check_alive()
        holder, me = self._machine.link, current()
        if holder is not None and holder.alive and holder is not me:
            raise LinkBusy(pid=1, folder=str(folder))
        return lambda: None

    async def connect(self, folder: Path, protocol: Callable[[], asyncio.Protocol]) -> bool:
        await asyncio.sleep(self._machine.chance.random() * HOP)
        supervisor, me = self._machine.supervisor, current()
        assert me is not None
        if supervisor is None or not supervisor.listening:
            return False
        made: Any = protocol()
        pair = supervisor.connect(me, made)
        made.connection_made(pair)
        return True

    async def start(self, folder: Path, idle_exit: float) -> None:
        self._machine.boot_supervisor()
        await asyncio.sleep(self._machine.chance.random() * self._machine.start_delay)
        supervisor = self._machine.supervisor
        if supervisor is None or not supervisor.process.alive:
            raise Unavailable(reason="the supervisor did not start")


__all__ = ["FOLDER", "RunningSupervisor", "SimulatedLauncher", "SimulatedMachine"]
