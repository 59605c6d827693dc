"""The agent's clock and the name of the machine's current boot: durations never come from wall time."""

from __future__ import annotations

import os
import time

_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
_BOOT_ID = "/proc/sys/kernel/random/boot_id"
BOOT_ID_FILE = "PLUMBER_BOOT_ID_FILE"
"""Names another file to read the boot's id from: tests restart no machine."""


def boottime() -> float:
    """Return seconds since boot, time asleep included: a permit must age while the machine is suspended."""
    return time.clock_gettime(_CLOCK)


def boot_id() -> str:
    """Return an id that changes with every boot of the machine."""
    try:
        with open(os.environ.get(BOOT_ID_FILE) or _BOOT_ID, encoding="ascii") as file:  # noqa: PTH123 - the supervisor does not load pathlib
            return file.read().strip()
    except OSError:
        return f"boot-{round((time.time() - boottime()) / 60)}"


class Clock:
    """Time as the agent's cores see it; the simulator's machines have clocks of their own."""

    def boottime(self) -> float:
        """Return seconds since boot, time asleep included."""
        return boottime()

    def wall(self) -> int:
        """Return seconds since 1970, for what must outlive a boot."""
        return int(time.time())

    def boot_id(self) -> str:
        """Return an id that changes with every boot."""
        return boot_id()


CLOCK = Clock()
