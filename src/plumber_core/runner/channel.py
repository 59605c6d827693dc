"""The supervisor's end of one connection on its unix socket."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from plumber_core.runner.reactor import Reactor
from plumber_core.runner.wire import Decoder, Message, encode

if TYPE_CHECKING:
    import socket

_READ = 64 * 1024
"""Bytes read at once; for a larger buffer the allocator asks the kernel each time."""
CONGESTED = 1024 * 1024
"""Bytes waiting for a link that does not read; from here on hints are kept back."""


class Channel:
    """A connected link. ``number`` is the one it attached with, 0 before."""

    def __init__(
        self,
        connection: socket.socket,
        reactor: Reactor,
        on_message: Callable[[Channel, Message], None],
        on_closed: Callable[[Channel], None],
    ) -> None:
        self.number = 0
        self._socket, self._reactor = connection, reactor
        self._on_message, self._on_closed = on_message, on_closed
        self._decoder = Decoder()
        self._waiting = bytearray()
        self._wants_writing = self._gathering = self._urgent = False
        self._open = True
        connection.setblocking(False)
        reactor.add(connection.fileno(), self._ready)

    @property
    def congested(self) -> bool:
        """Whether the other end does not keep up."""
        return len(self._waiting) >= CONGESTED

    def send(self, message: Message, *, soon: bool = False) -> None:
        """Send a message now, or as soon as the other end reads; dropped when it is gone.

        One that is sent ``soon`` goes along with the next one, which the caller sees to.
        """
        if not self._open:
            return
        self._waiting += encode(message)
        self._urgent |= not soon
        if self._urgent and not self._gathering and not self._wants_writing:
            self._flush()

    def _flush(self) -> None:
        try:
            while self._waiting:
                del self._waiting[: self._socket.send(self._waiting)]
            self._urgent = False
        except BlockingIOError:
            pass
        except OSError:
            return self.close()
        if self._wants_writing != bool(self._waiting):
            self._wants_writing = bool(self._waiting)
            self._reactor.want_writing(self._socket.fileno(), self._wants_writing)
        return None

    def _ready(self) -> None:
        if self._wants_writing:
            self._flush()
        try:
            data = self._socket.recv(_READ)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._decode(data)
        else:
            self.close()

    def _decode(self, data: bytes) -> None:
        # What is said to these messages goes out in one piece: the link wakes up once for it.
        self._gathering = True
        try:
            for message in self._decoder.feed(data):
                if self._open:
                    self._on_message(self, message)
        except ValueError:
            self.close()
        finally:
            self._gathering = False
        if self._open and self._urgent:
            self._flush()

    def close(self) -> None:
        """End the connection."""
        if self._open:
            self._open = False
            self._reactor.remove(self._socket.fileno())
            self._socket.close()
            self._on_closed(self)
