"""The world around a link: all of it that the link's core touches besides its supervisor and its peer."""

from __future__ import annotations

import random
from typing import NamedTuple

from plumber_core.runner.clock import CLOCK, Clock
from plumber_core.runner.disk import DISK, Disk


class World(NamedTuple):
    """What the core is given instead of reaching for it; ``chance`` is where nonces and jitter come from."""

    clock: Clock = CLOCK
    disk: Disk = DISK
    chance: random.Random = random.SystemRandom()


WORLD = World()
