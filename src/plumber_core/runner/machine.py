"""The machine under a supervisor: all of the world that its core touches."""

from __future__ import annotations

from typing import NamedTuple

from plumber_core.runner.clock import CLOCK, Clock
from plumber_core.runner.disk import DISK, Disk
from plumber_core.runner.processes import Processes


class Machine(NamedTuple):
    """What a core is given instead of reaching for it; the simulator gives others."""

    clock: Clock
    disk: Disk
    processes: Processes


def this_machine() -> Machine:
    """Return the machine that this process runs on."""
    return Machine(CLOCK, DISK, Processes())
