"""The agent's clock and the name of the machine's current boot: durations never come from wall time."""

from __future__ import annotations

import time
from pathlib import Path

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boottime() -> float:
    """Return seconds since boot, time asleep included: a permit must age while the machine is suspended."""
    return time.clock_gettime(_CLOCK)


def boot_id() -> str:
    """Return an id that changes with every boot of the machine."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return f"boot-{round((time.time() - boottime()) / 60)}"
