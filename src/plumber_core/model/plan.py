"""The frozen plan of one execution: what runs where, decided once, at its start.

A plan is a row of **stages**. A stage has **lanes**, one a host, and a **chain** of steps that every lane walks in
order. A plain step on several hosts is a stage whose chain has one step; a block is a stage for each batch, and one
for each gate. The next stage starts when every lane of the last one has ended within its limits. Plain dataclasses:
the hot path decodes one for each execution that it meets.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from typing import Any, Literal, Self

from plumber_core.model.limits import CANCEL_GRACE
from plumber_core.model.parts import Part

OnFailure = Literal["stop", "continue", "pause"]
Overlap = Literal["queue", "skip", "replace"]
RetryOn = Literal["failed", "timed_out", "lost"]
Pause = float | Literal["manual"]
"""Seconds, or until somebody says go."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When a step is tried again; see ``model.task.Retry``. Durations are seconds."""

    attempts: int
    delay: float
    backoff: float
    max_delay: float
    jitter: float
    on: tuple[RetryOn, ...]
    exit_codes: tuple[int, ...]

    @classmethod
    def from_json(cls, value: dict[str, Any] | None) -> Self | None:
        """Read what ``dataclasses.asdict`` wrote."""
        if value is None:
            return None
        return cls(**{**value, "on": tuple(value["on"]), "exit_codes": tuple(value["exit_codes"])})


@dataclass(frozen=True, slots=True)
class PlanLock:
    """A lock that at most ``most`` may hold at once, any number if None; ``{agent}`` in its name is the host."""

    name: str
    most: int | None = 1


@dataclass(frozen=True, slots=True)
class Queue:
    """Executions with the same ``key`` of which at most ``limit`` run at once; see ``model.locks.Concurrency``."""

    key: str
    limit: int
    overlap: Overlap = "queue"
    priority: int = 0
    most_waiting: int | None = None


@dataclass(frozen=True, slots=True)
class PlanStep:
    """One step as written, its templates not yet rendered.

    ``needs_outputs`` names the steps whose outputs the templates read. Durations are seconds.
    """

    name: str
    uses: str
    params: dict[str, Any] = field(default_factory=dict)
    path: str | None = None
    env: dict[str, str] = field(default_factory=dict)
    timeout: float | None = None
    idle_timeout: float | None = None
    grace: float = CANCEL_GRACE
    stdin: str | None = None
    on_failure: OnFailure = "stop"
    needs_outputs: tuple[str, ...] = ()
    needs_hosts: tuple[str, ...] = ()
    """Those of them of which the outputs of all hosts may be asked for."""
    retry: RetryPolicy | None = None
    idempotent: bool = False
    stop_after: float | None = None
    when: tuple[str, ...] = ()
    """Conditions that must all hold on a host, or it is passed over there."""
    needs: tuple[str, ...] | None = None
    """Which steps must have ended before, by their names; None in a list."""
    always: bool = False
    """It runs when all others have ended, however."""
    lost_after: float | Literal["never"] | None = None
    """None for ``limits.LOST_AFTER``."""
    locks: tuple[PlanLock, ...] = ()
    secrets: dict[str, str] = field(default_factory=dict)
    """Environment variable -> reference."""

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read one step of what ``Plan.to_json`` wrote."""
        retry = RetryPolicy.from_json(value.get("retry"))
        lists = {name: tuple(value.get(name, ())) for name in ("needs_outputs", "needs_hosts", "when")}
        locks, needs = tuple(PlanLock(**lock) for lock in value.get("locks", ())), value.get("needs")
        alone = {"retry": retry, "locks": locks, "needs": None if needs is None else tuple(needs)}
        return cls(**{**value, **lists, **alone})


@dataclass(frozen=True, slots=True)
class Absence:
    """What becomes of a step whose host is offline: it is waited for ``patience`` seconds, then the host has failed or,
    as far as ``tolerated``, is left out. ``quorum`` hosts of each step, a number or a share, have to be there all the
    same; see ``model.offline``."""

    policy: Literal["fail", "skip", "queue"]
    patience: float = 0.0
    quorum: int | str | None = None

    @property
    def tolerated(self) -> bool:
        """Whether an execution goes on without hosts that were not there."""
        return self.policy == "skip" or self.quorum is not None


@dataclass(frozen=True, slots=True)
class Batch:
    """A stage's place in a rollout: batch ``number`` of ``count`` of the block, or the gate behind that batch.

    ``most_failed`` hosts of the batch and ``most_in_all`` of the block may fail, any number if None; of a gate none.
    ``pause`` comes before the stage. A ``gate`` runs on what is left of its batch's hosts, unless they are its ``own``.
    """

    block: str
    number: int
    count: int
    most_failed: int | None = None
    most_in_all: int | None = 0
    pause: Pause | None = None
    gate: bool = False
    own: bool = False

    @property
    def begins(self) -> bool:
        """Whether the rollout begins with this stage."""
        return self.number == 1 and not self.gate

    @property
    def after(self) -> int:
        """The number of the batch that has ended when it is reached."""
        return self.number if self.gate else self.number - 1

    @property
    def follows_hosts(self) -> bool:
        """Whether it runs only where its batch got through."""
        return self.gate and not self.own


@dataclass(frozen=True, slots=True)
class Stage:
    """``chain`` holds indexes into ``Plan.steps``, ``hosts`` agent ids, one a lane from ``first_lane`` on.

    In a pool's stage the lanes are not pinned: ``pool`` holds the agents of which any may claim one, and ``hosts`` what
    stands for each lane until then (``ids.free_host``). Lanes of a block are numbered through all of its batches.
    """

    chain: tuple[int, ...]
    hosts: tuple[str, ...]
    pool: tuple[str, ...] = ()
    first_lane: int = 0
    batch: Batch | None = None

    @property
    def lanes(self) -> range:
        """The numbers of its lanes."""
        return range(self.first_lane, self.first_lane + len(self.hosts))

    def host(self, lane: int) -> str:
        """Return the host of a lane."""
        return self.hosts[lane - self.first_lane]

    def to_json(self) -> dict[str, Any]:
        """Return JSON values only."""
        value: dict[str, Any] = {"chain": self.chain, "hosts": self.hosts}
        if self.pool:
            value["pool"] = self.pool
        if self.batch is not None:
            value |= {"first_lane": self.first_lane, "batch": asdict(self.batch)}
        return value

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        batch = Batch(**value["batch"]) if "batch" in value else None
        pool = tuple(value.get("pool", ()))
        return cls(tuple(value["chain"]), tuple(value["hosts"]), pool, value.get("first_lane", 0), batch)


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that an execution needs to go on, whichever server picks it up."""

    task: str
    revision: int | None
    steps: tuple[PlanStep, ...]
    stages: tuple[Stage, ...]
    parameters: dict[str, Any] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    """What every command gets: the task's env, then each parameter under its own name."""
    hosts: dict[str, str] = field(default_factory=dict)
    """Agent id -> the name it had when the targets were frozen."""
    clean_environment: bool = True
    labels: dict[str, dict[str, str]] = field(default_factory=dict)
    """Agent id -> its labels and facts when the targets were frozen; only where an expression reads them."""
    timeout: float | None = None
    """Of the whole execution."""
    queue_timeout: float | None = None
    offline: Absence | None = None
    notify: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Occasion -> the channels that the task names."""
    locks: tuple[PlanLock, ...] = ()
    """Of the whole execution."""
    concurrency: Queue | None = None
    parts: tuple[Part, ...] = ()
    """None where stages simply follow each other."""
    _places: dict[int, _Places] = field(default_factory=dict, init=False, repr=False, compare=False)

    def to_json(self) -> dict[str, Any]:
        """Return JSON values only; they share what is inside with the plan."""
        values = {name: getattr(self, name) for name in _names(Plan)}
        steps = [{name: getattr(step, name) for name in _names(PlanStep)} for step in self.steps]
        for step in steps:
            step["retry"] = step["retry"] and asdict(step["retry"])
            step["locks"] = [asdict(lock) for lock in step["locks"]]
        alone = {name: values[name] and asdict(values[name]) for name in ("offline", "concurrency")}
        lists = {"steps": steps, "stages": [stage.to_json() for stage in self.stages]}
        lists |= {"locks": [asdict(lock) for lock in self.locks], "parts": [asdict(part) for part in self.parts]}
        return {**values, **alone, **lists}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Self:
        """Read what ``to_json`` wrote."""
        steps = tuple(PlanStep.from_json(step) for step in value["steps"])
        stages = tuple(map(Stage.from_json, value["stages"]))
        kinds = {"offline": Absence, "concurrency": Queue}
        alone = {name: kind(**value[name]) if value.get(name) else None for name, kind in kinds.items()}
        locks = tuple(PlanLock(**lock) for lock in value.get("locks", ()))
        parts = tuple(map(Part.from_json, value.get("parts", ())))
        return cls(**{**value, **alone, "steps": steps, "stages": stages, "locks": locks, "parts": parts})

    @property
    def has_rollouts(self) -> bool:
        """Whether any block of it spreads over its hosts in batches."""
        return any(stage.batch is not None for stage in self.stages)

    @property
    def has_to_wait(self) -> bool:
        """Whether it needs its turn, or locks, before it begins."""
        return bool(self.stages) and (self.concurrency is not None or bool(self.locks))

    @property
    def holds(self) -> bool:
        """Whether the execution, or any step of it, holds something that others may wait for."""
        return self.has_to_wait or any(step.locks for step in self.steps)

    @property
    def may_leave_out(self) -> bool:
        """Whether it goes on without hosts that were offline."""
        return self.offline is not None and self.offline.tolerated

    def part_of(self, stage: int) -> Part:
        """Return the part in which a stage stands; all of a plan without parts is one."""
        if not self.parts:
            return Part(0, len(self.stages))
        # Of those that begin with the same stage only the last one has any.
        return self.parts[bisect_right(self.parts, stage, key=lambda part: part.first) - 1]

    @property
    def always_from(self) -> int:
        """The first stage of those that run whatever happened; the number of stages if there are none."""
        return next((part.first for part in self.parts if part.always), len(self.stages))

    def stage_of(self, step: int, lane: int = 0) -> int:
        """Return the index of the stage in which a lane of the step with this index stands."""
        places = self._places_of(step)
        return places.stages[max(0, bisect_right(places.first_lanes, lane) - 1)]

    def hosts_of(self, step: int) -> tuple[str, ...]:
        """Return the agents on which the step with this index runs: none if its target was allowed to be empty."""
        return tuple(host for stage in self._places_of(step).stages for host in self.stages[stage].hosts)

    def host_count(self, step: int) -> int:
        """Return on how many hosts the step with this index runs."""
        return self._places_of(step).hosts

    def pool_of(self, step: int) -> tuple[str, ...]:
        """Return the agents of which any may run the step with this index; empty for a step whose hosts are fixed."""
        return next((self.stages[stage].pool for stage in self._places_of(step).stages), ())

    def _places_of(self, step: int) -> _Places:
        """Look through all stages once, so that a report costs the same in a plan of ten thousand batches."""
        if not self._places:
            for number, stage in enumerate(self.stages):
                for one in stage.chain:
                    self._places.setdefault(one, _Places()).add(number, stage)
        return self._places.get(step) or _Places()


@dataclass(slots=True)
class _Places:
    """The stages of a step, with the first lane of each."""

    stages: list[int] = field(default_factory=list)
    first_lanes: list[int] = field(default_factory=list)
    hosts: int = 0

    def add(self, number: int, stage: Stage) -> None:
        self.stages.append(number)
        self.first_lanes.append(stage.first_lane)
        self.hosts += len(stage.hosts)


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(one.name for one in fields(kind) if not one.name.startswith("_"))
