"""The process table of one simulated machine: commands that print, last and end as the seed has it."""

from __future__ import annotations

import random
import signal
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from plumber_core.runner.process import CannotStart
from plumber_core.runner.processes import Processes
from plumber_core.testing.simulator.loop import check_alive

if TYPE_CHECKING:
    from plumber_core.testing.simulator.machine import SimulatedMachine
    from plumber_core.testing.simulator.reactor import SimulatedReactor

LENGTHS = (0.02, 0.02, 0.5, 0.5, 0.5, 0.5, 3.0, 3.0, 3.0, 3.0, 12.0, 40.0)
"""Seconds for which commands run; some for longer than a silent agent is waited for."""
SIZES = (0, 0, 20, 300, 5000)
STUBBORN = 0.2
"""The share of commands that do not end when asked to."""


class Pipe:
    """What a command has printed and its supervisor has not read yet."""

    def __init__(self) -> None:
        self.data = bytearray()
        self.closed = False

    @property
    def readable(self) -> bool:
        return bool(self.data) or self.closed


class Command:
    """One running command. ``said`` is all that it printed, by stream, ``status`` its wait status once it ended."""

    def __init__(self, attempt: str, pid: int, machine: SimulatedMachine, parent: SimulatedProcesses | None) -> None:
        self.attempt, self.pid, self.machine, self.parent = attempt, pid, machine, parent
        self.pipes = (Pipe(), Pipe())
        self.hidden = Pipe()
        """Through which it would say what to hide: it says nothing there."""
        self.said = (bytearray(), bytearray())
        self.status: int | None = None
        self.stubborn = False

    def print(self, stream: int, data: bytes) -> None:
        """Write to a pipe; nobody may be there to read it."""
        if self.status is None:
            self.said[stream].extend(data)
            self.pipes[stream].data += data
            self._tell()

    def end(self, status: int) -> None:
        """End, once."""
        if self.status is not None:
            return
        self.status = status
        for pipe in (*self.pipes, self.hidden):
            pipe.closed = True
        self.machine.ended(self)
        if self.parent is not None:
            self.parent.ended.append((self.pid, status))
        self._tell()

    def _tell(self) -> None:
        if self.parent is not None and self.parent.notice is not None:
            self.parent.notice()


class Script:
    """What a command does, drawn for its attempt: pieces of output at moments, an exit code at the end."""

    def __init__(self, chance: random.Random, fails: float) -> None:
        self.length = chance.choice(LENGTHS)
        self.code = chance.choice((1, 3)) if chance.random() < fails else 0
        self.stubborn = chance.random() < STUBBORN
        count = chance.choice((0, 1, 1, 2, 4))
        moments = sorted(chance.random() * self.length for _ in range(count))
        self.pieces = [(at, chance.randrange(2), chance.randbytes(chance.choice(SIZES))) for at in moments]

    def play(self, command: Command) -> None:
        """Let it happen, in time."""
        loop = command.machine.loop
        command.stubborn = self.stubborn
        for at, stream, data in self.pieces:
            loop.call_later(at, command.print, stream, data)
        loop.call_later(self.length, command.end, self.code << 8)


class SimulatedProcesses(Processes):
    """The processes of one supervisor on its machine."""

    def __init__(self, machine: SimulatedMachine) -> None:
        self._machine = machine
        self.ended: deque[tuple[int, int]] = deque()
        self.notice: Callable[[], None] | None = None
        self._pipes: dict[int, Pipe] = {}

    def reactor(self, on_children: Callable[[], None]) -> Any:
        from plumber_core.testing.simulator.reactor import SimulatedReactor

        reactor: SimulatedReactor = SimulatedReactor(self, on_children)
        return reactor

    def readable(self, fd: int) -> bool:
        """Say whether a pipe has something to read."""
        pipe = self._pipes.get(fd)
        return pipe is not None and pipe.readable

    def start(
        self, argv: list[str], env: dict[str, str], path: str | None, stdin: bytes | None
    ) -> tuple[int, int, int]:
        pid, out, err, _ = self._execute(env)
        return pid, out, err

    def start_masked(
        self, argv: list[str], env: dict[str, str], path: str | None, stdin: bytes | None
    ) -> tuple[int, int, int, int]:
        return self._execute(env)

    def _execute(self, env: dict[str, str]) -> tuple[int, int, int, int]:
        check_alive()
        if self._machine.chance.random() < self._machine.cannot_start:
            raise CannotStart("cannot_start", "as the seed has it")
        command = self._machine.execute(env["PLUMBER_ATTEMPT"], env["PLUMBER_STEP"], self)
        pipes = (*command.pipes, command.hidden)
        out, err, hidden = fds = [self._machine.new_number() for _ in pipes]
        self._pipes.update(zip(fds, pipes, strict=True))
        return command.pid, out, err, hidden

    def read(self, fd: int, buffer: bytearray) -> int:
        check_alive()
        pipe = self._pipes[fd]
        if not pipe.readable:
            raise BlockingIOError
        count = min(len(pipe.data), len(buffer))
        buffer[:count] = pipe.data[:count]
        del pipe.data[:count]
        return count

    def widen(self, fd: int, size: int) -> None:
        check_alive()

    def waiting(self, fd: int) -> int:
        return len(self._pipes[fd].data)

    def close(self, fd: int) -> None:
        self._pipes.pop(fd, None)

    def reap(self) -> tuple[int, int] | None:
        check_alive()
        return self.ended.popleft() if self.ended else None

    def ticks(self, pid: int) -> int:
        return pid

    def session(self, pid: int) -> int:
        return pid

    def own_children(self) -> set[int] | None:
        return {command.pid for command in self._machine.commands.values() if command.parent is self}

    def attempt_of(self, pid: int) -> str:
        return next((c.attempt for c in self._machine.commands.values() if c.pid == pid), "")

    def gather(self, attempt: str, pid: int) -> None:
        pass

    def any_grouped(self, attempt: str) -> bool:
        return False

    def oom_kills(self) -> int:
        return 0

    def release(self, attempt: str) -> None:
        check_alive()

    def count(self, attempt: str, leader: int, ticks: int) -> int:
        return int(attempt in self._machine.commands)

    def kill_tree(self, attempt: str, leader: int, ticks: int) -> None:
        check_alive()
        if (command := self._machine.commands.get(attempt)) is not None:
            command.end(signal.SIGKILL)

    def terminate(self, leader: int) -> None:
        check_alive()
        for command in self._machine.commands.values():
            if command.pid == leader and not command.stubborn:
                self._machine.loop.call_later(0.01, command.end, int(signal.SIGTERM))
