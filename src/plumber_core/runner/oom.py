"""Telling a kill for want of memory from any other: the kernel counts the former, both look like SIGKILL."""

# The supervisor does not load pathlib: memory.
# ruff: noqa: PTH110
from __future__ import annotations

import os

from plumber_core.runner.cgroups import own_group

_PLACES = (("", "memory.events"), ("memory", "memory.oom_control"))
"""(hierarchy, file) of the unified and of the old kind."""
_KEY = b"oom_kill"


class OomKills:
    """Counts how many processes of the supervisor's cgroup, commands included, the kernel has killed for memory."""

    def __init__(self, file: str | None = None) -> None:
        self._file = _find() if file is None else file

    def count(self) -> int:
        """Return the count so far; 0 where the kernel does not tell."""
        if not self._file:
            return 0
        try:
            fd = os.open(self._file, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return 0
        try:
            words = os.read(fd, 4096).split()
            return int(words[words.index(_KEY) + 1])
        except (OSError, ValueError, IndexError):
            return 0
        finally:
            os.close(fd)


def _find() -> str:
    for hierarchy, name in _PLACES:
        group = own_group(hierarchy)
        if group and os.path.exists(f"{group}/{name}"):
            return f"{group}/{name}"
    return ""
