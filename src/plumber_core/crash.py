"""Named points at which a test can have the process die, as if by SIGKILL, or stand still; free when nobody asked.

``PLUMBER_CRASH_AT=supervisor.exit_written:2`` ends the process the second time it passes that point;
``PLUMBER_FREEZE_AT=link.permit_got`` stops it there, as SIGSTOP does, until somebody sends SIGCONT.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator

CRASHED = 137
CRASH_AT, FREEZE_AT = "PLUMBER_CRASH_AT", "PLUMBER_FREEZE_AT"


class _Trap:
    """``left`` counts the passes until it springs."""

    def __init__(self, setting: str) -> None:
        self.name, _, count = setting.partition(":")
        self.left = int(count or "1")

    def springs(self, name: str) -> bool:
        if name != self.name:
            return False
        self.left -= 1
        return self.left == 0


_crash, _freeze = (_Trap(os.environ.get(variable, "")) for variable in (CRASH_AT, FREEZE_AT))
armed = bool(_crash.name or _freeze.name)


_watcher: Callable[[str], None] | None = None


@contextlib.contextmanager
def watched_by(watcher: Callable[[str], None]) -> Iterator[None]:
    """Have ``watcher`` told of every point that is passed: a simulator kills its processes there."""
    global armed, _watcher
    before = armed, _watcher
    armed, _watcher = True, watcher
    try:
        yield
    finally:
        armed, _watcher = before


def crash_point(name: str) -> None:
    """End this process, or freeze it, when it was told to do so here."""
    if not armed:
        return
    if _watcher is not None:
        _watcher(name)
    if _crash.springs(name):
        os._exit(CRASHED)
    if _freeze.springs(name):
        os.kill(os.getpid(), signal.SIGSTOP)
