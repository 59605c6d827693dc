"""The killer's plan: what is done to whom, when and for how long, drawn from one seed before anything starts."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

AGENTS, SERVERS = 6, 2
PAUSES = (0.2, 3.0)
"""Seconds between two blows."""


@dataclass(frozen=True, slots=True)
class Blow:
    """One thing that is done. ``seconds`` is how long it lasts: until a restart, a wake-up or the healing."""

    pause: float
    kind: str
    target: int
    seconds: float


# How often each kind comes among a hundred, how many it may hit, and for how long at most.
KINDS: dict[str, tuple[int, int, float]] = {
    "kill link": (18, AGENTS, 3.0),
    "freeze link": (10, AGENTS, 6.0),
    "kill supervisor": (6, AGENTS, 0.0),
    "freeze supervisor": (8, AGENTS, 3.0),
    "kill server": (14, SERVERS, 2.0),
    "freeze server": (8, SERVERS, 6.0),
    "kill postgres": (3, 1, 0.5),
    "restart postgres": (3, 1, 0.0),
    "partition": (14, AGENTS, 8.0),
    "break connections": (14, AGENTS, 0.0),
    "cancel": (2, 1, 0.0),
}


def draw(seed: int, count: int) -> list[Blow]:
    """Return so many blows; the same for the same seed."""
    source = random.Random(seed)
    kinds, weights = list(KINDS), [weight for weight, _, _ in KINDS.values()]
    return [_blow(source, kind) for kind in source.choices(kinds, weights, k=count)]


def _blow(source: random.Random, kind: str) -> Blow:
    _, targets, most = KINDS[kind]
    pause, seconds = source.uniform(*PAUSES), source.uniform(most / 4, most)
    return Blow(round(pause, 3), kind, source.randrange(targets), round(seconds, 3))


def write(path: Path, blows: list[Blow]) -> None:
    """Keep a plan, to be read or given to ``--plan`` again."""
    path.write_text("".join(json.dumps(asdict(blow)) + "\n" for blow in blows))


def read(path: Path) -> list[Blow]:
    """Return a plan that was kept."""
    return [Blow(**json.loads(line)) for line in path.read_text().splitlines()]
