"""A guard against work that does not end; it says nothing of how fast work is."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

PATIENCE = 120


@contextlib.contextmanager
def must_end() -> Iterator[None]:
    """Fail when the block is still running after two minutes: what is linear ends in a small part of that."""

    def alarm(*_: object) -> None:
        raise AssertionError(f"still running after {PATIENCE} s")

    previous = signal.signal(signal.SIGALRM, alarm)
    signal.alarm(PATIENCE)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
