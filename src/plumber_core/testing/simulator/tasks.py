"""The tasks that a seed runs: a few ordered steps on some of the hosts, some of which may be tried again."""

from __future__ import annotations

import functools
import random
from typing import Any, NamedTuple

from plumber_core.model.task import Task
from plumber_core.planning.parse import task_from_definition

STOP_AFTER = 12.0
USUAL = 3
"""Agents; with fewer of them the same is drawn, and those that are missing are left out."""
MODES: dict[str, dict[str, Any]] = {
    "once": {},
    "again": {"retry": {"attempts": 3, "delay": 1, "on": ["failed", "timed_out"]}},
    "careless": {"retry": {"attempts": 3, "delay": 1, "on": ["failed", "lost"]}, "idempotent": True},
    "careful": {"retry": {"attempts": 3, "delay": 1, "on": ["lost"]}, "stop_after": STOP_AFTER},
}
"""What steps allow, by the word in their names: only ``careless`` ones may run twice at the same time."""


class Shape(NamedTuple):
    """One step. ``any_of`` is how many of its agents run it, 0 for all."""

    agents: tuple[int, ...]
    any_of: int
    on_failure: str
    limit: float | None
    mode: str
    lost_after: float | None

    @property
    def name(self) -> str:
        """What its name says of it, after its number."""
        pool = f"any{''.join(map(str, self.agents))}-" if self.any_of else ""
        return f"{pool}{self.mode}"

    @property
    def on(self) -> str | list[str]:
        """Its target."""
        names = [f"a{number}" for number in self.agents]
        return f"any {self.any_of} of {' or '.join(names)}" if self.any_of else names


def draw(chance: random.Random, agents: int) -> Task:
    """Draw a task: its shape is one of a few, so that each is parsed once."""
    steps = tuple(_draw_step(chance, agents) for _ in range(chance.choice((1, 2, 3))))
    return _task(steps, chance.choice((None, None, None, 25.0)), chance.choice((None, None, None, 10.0)))


def _draw_step(chance: random.Random, agents: int) -> Shape:
    among, any_of = max(agents, USUAL), chance.choice((0, 0, 0, 1, 2))
    drawn = chance.sample(range(among), chance.choice((2, among) if any_of else (1, 1, 2, among)))
    hosts = tuple(number for number in sorted(drawn) if number < agents) or (0,)
    mode = chance.choice(("once", "once", "once", "again", "careless", "careful"))
    limit, lost_after = chance.choice((None, None, 5.0)), chance.choice((None, None, 3.0))
    return Shape(hosts, min(any_of, len(hosts)), chance.choice(("stop", "stop", "continue")), limit, mode, lost_after)


@functools.lru_cache(maxsize=10000)
def _task(steps: tuple[Shape, ...], timeout: float | None, queue_timeout: float | None) -> Task:
    written = []
    for number, shape in enumerate(steps):
        step = {"name": f"step-{number}-{shape.name}", "run": "play", "on": shape.on, "on_failure": shape.on_failure}
        more = {"timeout": shape.limit, "lost_after": shape.lost_after}
        written.append(
            step | {"grace": 1} | MODES[shape.mode] | {key: value for key, value in more.items() if value is not None}
        )
    whole = {"timeout": timeout, "queue_timeout": queue_timeout}
    limits = {key: value for key, value in whole.items() if value is not None}
    return task_from_definition({"name": "simulated", "steps": written, **limits})


def mode_of(step: str) -> str:
    """Return the mode in a step's name."""
    return step.rpartition("-")[2]


def members_of(step: str) -> str:
    """Return the numbers of the agents of whom any may run a step, by its name; "" when all of them do."""
    _, _, pool = step.rpartition("-")[0].partition("any")
    return pool
