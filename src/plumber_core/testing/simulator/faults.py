"""What goes wrong in one seed: each draws its own kinds and rates (a swarm), so that rare combinations come up."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field

KINDS: dict[str, tuple[float, ...]] = {
    "drop": (0, 0, 0.02, 0.15),
    "duplicate": (0, 0.05, 0.2),
    "slow": (0.01, 0.3, 3.0),
    "polling": (0, 0, 1),
    "cut": (0, 0.02, 0.05),
    "partition": (0, 0, 0.03),
    "link_kill": (0, 0.02, 0.06),
    "supervisor_kill": (0, 0, 0.02),
    "reboot": (0, 0, 0.012),
    "freeze": (0, 0.02),
    "server_crash": (0, 0.02, 0.06),
    "crash_point": (0, 0.002, 0.01),
    "commit_unknown": (0, 0, 0.01),
    "database_away": (0, 0, 0.01),
    "clone": (0, 0, 0, 0.05),
    "rollback": (0, 0, 0.06),
    "cancel": (0, 0.02),
    "drift": (0, 0.01),
    "wall_jump": (0, 0, 0.02),
    "torn": (0, 0, 0.5),
    "disk_full": (0, 0, 0.01),
    "cannot_start": (0, 0, 0.05),
    "drain": (0, 0, 0.02),
    "goodbye": (0, 0, 0.02),
    "stall": (0, 0, 0.15),
    "locks": (0, 0.5),
    "parts": (0, 0.4),
    "resume": (0, 0, 0.5),
    "pause": (0, 0, 0.15),
}
"""Kind -> the rates to draw from: chances a second, a message or a passage; seconds for ``slow``. The last four go not
wrong, but make it harder: the shares of tasks with locks and queues, with branches, of failed runs that go on, and of
runs that somebody pauses when he looks, or that a failure pauses."""


@dataclass
class Faults:
    """The kinds and rates of one seed. ``until`` is when everything heals; ``seen`` counts what happened."""

    seed: int
    rates: dict[str, float]
    until: float
    time: Callable[[], float]
    seen: dict[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Each kind draws from a source of its own: what is left after one kind is left out goes on as before.
        self._chances = {kind: random.Random(f"{self.seed}/{kind}") for kind in self.rates}
        self.chance = random.Random(f"{self.seed}/delays")

    @property
    def active(self) -> bool:
        """Whether things still go wrong."""
        return self.time() < self.until

    def happens(self, kind: str) -> bool:
        """Draw whether a fault of a kind happens now."""
        rate = self.rates[kind]
        if rate <= 0 or not self.active or self._chances[kind].random() >= rate:
            return False
        self.seen[kind] = self.seen.get(kind, 0) + 1
        return True

    def network_delay(self) -> float:
        """Return how long a message takes."""
        if self.active and self.chance.random() < 0.1:
            return self.chance.expovariate(1 / self.rates["slow"])
        return 0.0005 + self.chance.random() * 0.01

    def database_delay(self) -> float:
        """Return how long the way to the database takes."""
        if self.active and self.chance.random() < 0.02:
            return self.chance.random() * 2
        return self.chance.random() * 0.003


def draw(chance: random.Random, without: frozenset[str], often: frozenset[str] = frozenset()) -> dict[str, float]:
    """Return the rates of a seed; kinds in ``without`` never happen, those in ``often`` have their highest rates."""
    rates = {kind: float(chance.choice(choices)) for kind, choices in KINDS.items()}
    rates |= {kind: float(max(KINDS[kind])) for kind in often}
    if "clone" in often:
        rates["rollback"] = 0.0
    if rates["rollback"]:
        # Two limits of the product, see docs/explanation/simulation.md: a copy could answer for the original, and an
        # agent whose clock jumps past what it keeps cannot tell.
        rates["clone"] = rates["wall_jump"] = 0.0
    rates |= dict.fromkeys(without & rates.keys(), 0.0)
    rates["slow"] = rates["slow"] or 0.01
    return rates
