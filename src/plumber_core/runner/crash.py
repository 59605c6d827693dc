"""Named points at which a test can have the process die, as if by SIGKILL; free when nobody asked.

``PLUMBER_CRASH_AT=supervisor.exit_written:2`` ends the process the second time it passes that point.
"""

from __future__ import annotations

import os

CRASHED = 137
_name, _, _count = os.environ.get("PLUMBER_CRASH_AT", "").partition(":")
_left = int(_count or "1")


def crash_point(name: str) -> None:
    """End this process at once when it was told to die here."""
    global _left
    if name == _name:
        _left -= 1
        if _left == 0:
            os._exit(CRASHED)
