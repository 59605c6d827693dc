"""A mark that a command and all that it starts carry, through ``exec``, new sessions and emptied environments.

It is the soft limit on the time that a real-time process may run without waiting (``RLIMIT_RTTIME``), which is without
limit otherwise: each attempt gets a number of its own, of years. To carry it costs nothing, and whoever may look at
processes at all may read it; only who sets that very limit loses it.
"""

from __future__ import annotations

import contextlib
import os
import resource
import zlib
from collections.abc import Iterator

_FIRST = 1 << 50
"""Microseconds: 35 years."""
_LINE = b"Max realtime timeout"


def mark_of(attempt: str) -> int:
    """Return an attempt's mark."""
    return _FIRST + zlib.crc32(attempt.encode())


def mark_on(pid: int) -> int:
    """Return the mark that a process carries, 0 when it carries none or cannot be looked at."""
    try:
        fd = os.open(f"/proc/{pid}/limits", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0
    try:
        _, found, rest = os.read(fd, 16384).partition(_LINE)
    except OSError:
        return 0
    finally:
        os.close(fd)
    soft = rest.split(maxsplit=1)[0] if found else b""
    return int(soft) if soft.isdigit() and int(soft) >= _FIRST else 0


@contextlib.contextmanager
def worn(mark: int) -> Iterator[None]:
    """Carry a mark ourselves while a child is made, which inherits it; a limit that is set already is left alone."""
    soft, hard = resource.getrlimit(resource.RLIMIT_RTTIME)
    if (soft, hard) != (resource.RLIM_INFINITY, resource.RLIM_INFINITY):
        yield
        return
    resource.setrlimit(resource.RLIMIT_RTTIME, (mark, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_RTTIME, (soft, hard))
