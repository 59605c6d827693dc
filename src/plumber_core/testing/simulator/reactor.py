"""The supervisor's reactor and sockets, in memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from plumber_core.runner.reactor import LONGEST_WAIT, Reactor
from plumber_core.testing.simulator.loop import check_alive

if TYPE_CHECKING:
    from plumber_core.testing.simulator.commands import SimulatedProcesses


class SimulatedReactor(Reactor):
    """Handles what is ready and remembers how long the supervisor would wait for more."""

    def __init__(self, processes: SimulatedProcesses, on_children: Callable[[], None]) -> None:
        self._processes = processes
        self._handlers = {}
        self._on_children = on_children
        self.sockets: dict[int, SupervisorSocket | Listener] = {}
        self.timeout = 0.0

    def add(self, fd: int, handler: Callable[[], None]) -> None:
        self._handlers[fd] = handler

    def want_writing(self, fd: int, wanted: bool) -> None:
        """Sockets in memory take everything at once."""

    def remove(self, fd: int) -> None:
        self._handlers.pop(fd, None)

    def _readable(self, fd: int) -> bool:
        if (socket := self.sockets.get(fd)) is not None:
            return socket.readable
        return self._processes.readable(fd)

    @property
    def busy(self) -> bool:
        """Whether something is ready now."""
        return bool(self._processes.ended) or any(map(self._readable, self._handlers))

    def turn(self, timeout: float) -> None:
        self.timeout = max(0.0, min(timeout, LONGEST_WAIT))
        for fd in [fd for fd in self._handlers if self._readable(fd)]:
            handler = self._handlers.get(fd)
            if handler is not None:
                handler()
        if self._processes.ended:
            self._on_children()


class SupervisorSocket:
    """The supervisor's end of a connection."""

    def __init__(self, fd: int, send: Callable[[bytes], None], close: Callable[[], None]) -> None:
        self._fd, self._send, self._close = fd, send, close
        self.waiting = bytearray()
        self.ended = False

    @property
    def readable(self) -> bool:
        return bool(self.waiting) or self.ended

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def fileno(self) -> int:
        return self._fd

    def send(self, data: bytearray) -> int:
        check_alive()
        self._send(bytes(data))
        return len(data)

    def recv(self, size: int) -> bytes:
        check_alive()
        data = bytes(self.waiting[:size])
        del self.waiting[:size]
        return data

    def close(self) -> None:
        self._close()


class Listener:
    """The supervisor's listening socket."""

    def __init__(self, fd: int) -> None:
        self._fd = fd
        self.waiting: deque[SupervisorSocket] = deque()

    @property
    def readable(self) -> bool:
        return bool(self.waiting)

    def setblocking(self, flag: bool) -> None:
        """It never blocks."""

    def fileno(self) -> int:
        return self._fd

    def accept(self) -> tuple[SupervisorSocket, None]:
        return self.waiting.popleft(), None
