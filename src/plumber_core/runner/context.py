"""The step context of the executor host: streams, environment, outputs, cancellation."""

from __future__ import annotations

import asyncio
import os
import select
from collections.abc import Mapping
from dataclasses import dataclass, field

SAFE_WRITE = select.PIPE_BUF
"""A pipe that polls as writable takes this much without blocking."""


class HostStream:
    """A file descriptor that belongs to the attempt's log.

    It stays in blocking mode: it is shared with the processes that an executor starts, and those do not
    expect anything else. So what might block is written in a thread.
    """

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._turn = asyncio.Lock()

    def write(self, data: bytes, /) -> None:
        """Write all of ``data``; blocks while the log is full."""
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(self.descriptor, rest) :]

    def print(self, text: str, /) -> None:
        """Write ``text`` and a line feed, as ``write`` does."""
        self.write(_line(text))

    async def send(self, text: str) -> None:
        """Write ``text`` and a line feed without blocking the event loop; calls keep their order."""
        data = _line(text)
        async with self._turn:
            if len(data) <= SAFE_WRITE and self._writable():
                self.write(data)
            else:
                await asyncio.to_thread(self.write, data)

    def _writable(self) -> bool:
        poll = select.poll()
        poll.register(self.descriptor, select.POLLOUT)
        return any(events & select.POLLOUT for _, events in poll.poll(0))


def _line(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape") + b"\n"


@dataclass(slots=True)
class HostContext:
    """What ``Executor.run`` gets; see ``StepContext`` for the meaning of each part."""

    env: Mapping[str, str]
    path: str
    attempt: str
    execution: str
    step: str
    agent: str
    stdout: HostStream = field(default_factory=lambda: HostStream(1))
    stderr: HostStream = field(default_factory=lambda: HostStream(2))
    outputs: dict[str, str] = field(default_factory=dict)
    cancelled: bool = False

    @classmethod
    def from_environment(cls, environment: Mapping[str, str], path: str) -> HostContext:
        """Return the context of the attempt that ``PLUMBER_*`` variables describe."""

        def told(name: str) -> str:
            return environment.get(f"PLUMBER_{name}", "")

        return cls(environment, path, told("ATTEMPT"), told("EXECUTION"), told("STEP"), told("AGENT"))

    async def print(self, text: str) -> None:
        """Write a line to stdout; waits, without blocking the event loop, while the log is full."""
        await self.stdout.send(text)
