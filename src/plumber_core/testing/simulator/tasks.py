"""The tasks that a seed runs: a few ordered steps on some of the hosts, some of which may be tried again."""

from __future__ import annotations

import functools
import random
from collections.abc import Mapping
from typing import Any, NamedTuple

from plumber_core.model.task import Task
from plumber_core.planning.parse import task_from_definition
from plumber_core.testing.simulator import around
from plumber_core.testing.simulator.around import Around

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
ROLLOUTS = 0.3
"""The share of tasks that have a block rolled out in batches."""


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

    def written(self, number: int | str) -> dict[str, Any]:
        """Return it as a task has it."""
        names = [f"a{number}" for number in self.agents]
        on: str | list[str] = f"any {self.any_of} of {' or '.join(names)}" if self.any_of else names
        inside = {"name": f"step-{number}-{self.name}", "run": "play", "grace": 1, "on_failure": self.on_failure}
        more = {"timeout": self.limit, "lost_after": self.lost_after, "on": on if names else None}
        return inside | MODES[self.mode] | {key: value for key, value in more.items() if value is not None}


class Block(NamedTuple):
    """A block of steps and how it is rolled out. ``gate`` is the mode of its gate, "" without one."""

    agents: tuple[int, ...]
    steps: tuple[Shape, ...]
    batches: tuple[str | int, ...]
    max_failures: int
    pause: float | str | None
    gate: str

    def written(self, number: int) -> dict[str, Any]:
        """Return it as a task has it."""
        rollout: dict[str, Any] = {"batches": list(self.batches), "max_failures": self.max_failures}
        if self.pause is not None:
            rollout["pause"] = self.pause
        if self.gate:
            rollout["gate"] = {"name": f"gate-{number}-{self.gate}", "run": "play", "grace": 1} | MODES[self.gate]
        steps = [shape.written(f"{number}{place}") for place, shape in enumerate(self.steps)]
        on = [f"a{agent}" for agent in self.agents]
        return {"name": f"block-{number}", "on": on, "steps": steps, "rollout": rollout}


def draw(chance: random.Random, agents: int, others: Mapping[str, random.Random], rates: Mapping[str, float]) -> Task:
    """Draw a task: its shape is one of a few, so that each is parsed once. Blocks, and what stands around all of it,
    have sources of their own in ``others``."""
    rollouts, beside = others["rollout"], others["around"]
    steps: list[Shape | Block] = [_draw_step(chance, agents) for _ in range(chance.choice((1, 2, 3)))]
    limits = chance.choice((None, None, None, 25.0)), chance.choice((None, None, None, 10.0))
    if rollouts.random() < ROLLOUTS:
        steps.insert(rollouts.randrange(len(steps) + 1), _draw_block(rollouts, agents))
    locks, parts = (beside.random() < rates[kind] for kind in ("locks", "parts"))
    frame = around.draw(beside, len(steps), locks=locks, parts=parts, pauses=rates["pause"] > 0)
    always = tuple(_draw_step(beside, agents) for _ in range(frame.always))
    return _task(tuple(steps), always, frame, *limits)


def _draw_step(chance: random.Random, agents: int) -> Shape:
    among, any_of = max(agents, USUAL), chance.choice((0, 0, 0, 1, 2))
    drawn = chance.sample(range(among), chance.choice((2, among) if any_of else (1, 1, 2, among)))
    hosts = tuple(number for number in sorted(drawn) if number < agents) or (0,)
    mode = chance.choice(("once", "once", "once", "again", "careless", "careful"))
    limit, lost_after = chance.choice((None, None, 5.0)), chance.choice((None, None, 3.0))
    return Shape(hosts, min(any_of, len(hosts)), chance.choice(("stop", "stop", "continue")), limit, mode, lost_after)


def _draw_block(chance: random.Random, agents: int) -> Block:
    hosts = tuple(range(min(agents, chance.choice((2, USUAL, USUAL)))))
    steps = tuple(_draw_step(chance, agents)._replace(agents=(), any_of=0) for _ in range(chance.choice((1, 2))))
    batches = chance.choice(((1,), (1, "100%"), (1, "100%"), ("50%",)))
    pause = chance.choice((None, None, 2.0, "manual"))
    return Block(hosts, steps, batches, chance.choice((0, 1)), pause, chance.choice(("", "", "once", "again")))


@functools.lru_cache(maxsize=10000)
def _task(
    steps: tuple[Shape | Block, ...],
    always: tuple[Shape, ...],
    frame: Around,
    timeout: float | None,
    queue_timeout: float | None,
) -> Task:
    written = [step.written(number) for number, step in enumerate(steps)]
    names = [step["name"] for step in written]
    written = [frame.around(place, step, names) for place, step in enumerate(written)]
    whole = {"timeout": timeout, "queue_timeout": queue_timeout}
    more: dict[str, Any] = {key: value for key, value in whole.items() if value is not None}
    if always:
        more["always"] = [step.written(f"always{number}") for number, step in enumerate(always)]
    return task_from_definition({"name": "simulated", "steps": written, **frame.written(), **more})


def mode_of(step: str) -> str:
    """Return the mode in a step's name."""
    return step.rpartition("-")[2]


def members_of(step: str) -> str:
    """Return the numbers of the agents of whom any may run a step, by its name; "" when all of them do."""
    _, _, pool = step.rpartition("-")[0].partition("any")
    return pool
