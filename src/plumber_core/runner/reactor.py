"""The supervisor's one thread: waits for descriptors and ended children with epoll, nothing else."""

from __future__ import annotations

import contextlib
import os
import select
import signal
from collections.abc import Callable

LONGEST_WAIT = 30.0
"""Seconds; epoll's clock stands still while the machine sleeps, so deadlines are looked at this often."""


class Reactor:
    """``on_children`` is called, at most once a turn, when children may have ended."""

    def __init__(self, on_children: Callable[[], None]) -> None:
        self._epoll = select.epoll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self._on_children = on_children
        self._ended = False
        self._watch_children()

    def _watch_children(self) -> None:
        reading, writing = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        # The handler serves the turn that a child's last output has begun; the descriptor ends a wait.
        signal.signal(signal.SIGCHLD, lambda *_: self._note_end())
        signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
        self._bell = reading
        self.add(reading, self._note_end)

    def _note_end(self) -> None:
        self._ended = True

    def add(self, fd: int, handler: Callable[[], None]) -> None:
        """Call ``handler`` each time ``fd`` can be read."""
        self._handlers[fd] = handler
        self._epoll.register(fd, select.EPOLLIN)

    def want_writing(self, fd: int, wanted: bool) -> None:
        """Have the handler called also when ``fd`` can be written."""
        self._epoll.modify(fd, select.EPOLLIN | (select.EPOLLOUT if wanted else 0))

    def remove(self, fd: int) -> None:
        """Forget ``fd``; nothing happens when it was not known."""
        if self._handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def turn(self, timeout: float) -> None:
        """Wait at most ``timeout`` seconds and handle what is there; children come after their last output."""
        for fd, _ in self._epoll.poll(max(0.0, min(timeout, LONGEST_WAIT))):
            handler = self._handlers.get(fd)
            if handler is not None:
                handler()
        if self._ended:
            self._ended = False
            # Before the children: whoever rings from now on is found by them or in the next turn.
            with contextlib.suppress(BlockingIOError):
                os.read(self._bell, 4096)
            self._on_children()
