"""``StepContext``: all that a step may see and do while it runs."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Protocol


class StepFailed(Exception):
    """Raised by an executor to end its attempt as failed.

    Args:
        message: one sentence for the log; no traceback is printed.
        exit_code: 1 to 255; retries may ask for certain codes.
    """

    def __init__(self, message: str, exit_code: int = 1) -> None:
        super().__init__(message)
        self.message = message
        self.exit_code = exit_code


class OutputStream(Protocol):
    """One of the attempt's two output streams. Bytes arrive in the log in the order of the calls."""

    def write(self, data: bytes, /) -> None:
        """Write all of ``data``; blocks while the log is full. Meant for threads and for small pieces."""
        ...

    def print(self, text: str, /) -> None:
        """Write ``text`` and a line feed, as ``write`` does."""
        ...


class StepContext(Protocol):
    """Handed to ``Executor.run``. ``path`` is the working directory, which is also the current one.

    ``env`` is the step's environment; ``attempt``, ``execution`` and ``agent`` are ids, ``step`` is the
    step's name. What stands in ``outputs`` when the step ends can be read by later steps.
    """

    @property
    def env(self) -> Mapping[str, str]: ...
    @property
    def path(self) -> str: ...
    @property
    def attempt(self) -> str: ...
    @property
    def execution(self) -> str: ...
    @property
    def step(self) -> str: ...
    @property
    def agent(self) -> str: ...
    @property
    def stdout(self) -> OutputStream: ...
    @property
    def stderr(self) -> OutputStream: ...
    @property
    def outputs(self) -> MutableMapping[str, str]: ...
    @property
    def cancelled(self) -> bool:
        """True once the step is asked to end; threads look at it, coroutines get ``CancelledError``."""
        ...

    async def print(self, text: str) -> None:
        """Write a line to stdout; waits, without blocking the event loop, while the log is full."""
        ...
