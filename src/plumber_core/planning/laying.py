"""The steps of a task one after another, laid out as steps and stages of a plan."""

from __future__ import annotations

from typing import Any

from plumber_core.errors import InvalidRequest
from plumber_core.ids import free_host
from plumber_core.model.agent import AgentRef
from plumber_core.model.limits import ALWAYS_TIMEOUT
from plumber_core.model.plan import PlanStep, RetryPolicy, Stage
from plumber_core.model.task import Action, Gate, Rollout, Step, Task
from plumber_core.planning.holds import planned_locks
from plumber_core.planning.hosts import Chosen, TargetsOf
from plumber_core.planning.rollouts import Block, GateAt, in_order, seed_of, stages_of
from plumber_core.planning.settling import Settling
from plumber_core.planning.templates import as_text
from plumber_core.reasons import because


class Laying:
    """Takes steps in order. ``unclaimed`` is how the lanes of pools read until somebody has claimed them."""

    def __init__(self, task: Task, hosts: TargetsOf, settled: Settling, per_host: dict[str, str], seed: str) -> None:
        self.steps: list[PlanStep] = []
        self.stages: list[Stage] = []
        self.agents: dict[str, AgentRef] = {}
        self.unclaimed: dict[str, str] = {}
        self.spans: list[range] = []
        """The stages of each step that was taken, in order."""
        self._task = task
        self._hosts = hosts
        self._settled = settled
        self._per_host = per_host
        self._seed = seed

    def add(self, step: Step, *, always: bool = False) -> None:
        """Take a step, or a block, with the hosts that it has now."""
        first = len(self.stages)
        self._add(step, always=always)
        self.spans.append(range(first, len(self.stages)))

    def add_always(self, step: Step) -> None:
        """Take a step that always runs: no command of it may keep an execution from ending."""
        bounded = step if step.timeout is not None else step.model_copy(update={"timeout": ALWAYS_TIMEOUT})
        self.add(bounded, always=True)

    def _add(self, step: Step, *, always: bool) -> None:
        on = step.on if step.on is not None else self._task.on
        if on is None:
            raise InvalidRequest(field=f"steps.{step.name}.on", reason=because("no_target"))
        here = self._find(step.name, on, allow_empty=step.allow_empty or self._task.allow_empty)
        if step.steps is None and step.rollout is None:
            needs = None if always else self._needs(step)
            index = self._plan(step.name, step, **self._own(step), always=always, when=_when(step), needs=needs)
            self._add_stage(index, here)
        else:
            self._add_block(step, here)

    def _own(self, step: Step) -> dict[str, Any]:
        """Return what a step has and a gate has not."""
        locks = planned_locks(step.locks, f"steps.{step.name}.locks", self._settled)
        return {"on_failure": step.on_failure, "locks": locks}

    def _find(self, name: str, on: str | tuple[str, ...], *, allow_empty: bool = False) -> Chosen:
        found = self._hosts.of(name, on, allow_empty=allow_empty)
        self.agents |= {agent.id: agent for agent in found.agents}
        return found

    def _add_stage(self, index: int, here: Chosen) -> None:
        if not here.agents:
            return
        hosts, pool = self._places(index, here, len(self.stages))
        self.stages.append(Stage((index,), hosts, pool))

    def _places(self, index: int, here: Chosen, stage: int) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the hosts of a stage's lanes, and its pool."""
        agents = tuple(agent.id for agent in here.agents)
        if not here.any_of:
            return agents, ()
        if self._settled.reads_agent(self.steps[index]):
            raise InvalidRequest(field=f"steps.{self.steps[index].name}", reason=because("pool_reads_agent"))
        free = tuple(free_host(stage, lane) for lane in range(here.any_of))
        self.unclaimed |= dict.fromkeys(free, here.said)
        return free, agents

    def _add_block(self, step: Step, here: Chosen) -> None:
        if here.any_of:
            reason = because("rollout_pool", wanted=here.any_of)
            raise InvalidRequest(field=f"steps.{step.name}.on", reason=reason)
        inner = [step] if step.steps is None else step.steps
        if not inner:
            raise InvalidRequest(field=f"steps.{step.name}", reason=because("nothing_to_do"))
        outer = None if step.steps is None else step
        chain = tuple(
            self._plan(one.name, one, outer, **self._own(one), when=_when(outer, one), needs=self._needs(step))
            for one in inner
        )
        rollout = step.rollout or Rollout()
        gates = _Gates(self, step, rollout.gate, outer) if rollout.gate is not None else None
        agents = in_order(here.agents, rollout, seed_of(self._seed, step.name))
        block = Block(step.name, chain, rollout, gates.at if gates else None)
        self.stages.extend(stages_of(block, agents, len(self.stages)))

    def _needs(self, step: Step) -> tuple[str, ...] | None:
        """Return what a step outside of blocks waits for, if the task is a graph."""
        is_graph = any(one.needs is not None for one in self._task.steps)
        return (step.needs or ()) if is_graph else None

    def _plan(self, name: str, action: Action, outer: Step | None = None, **more: Any) -> int:
        """Add a step as its hosts get it, but for what is rendered on each of them; return its index."""
        field, settled, task = f"steps.{name}", self._settled, self._task
        uses, params = _command(field, action)
        given = self._per_host | (outer.env if outer else {}) | action.env
        env = {key: as_text(settled.value(field, value)) for key, value in given.items()}
        paths = (action.path, outer.path if outer else None, task.path)
        written = next((path for path in paths if path is not None), None)
        path = None if written is None else as_text(settled.value(field, written))
        params = params if uses == "shell" else settled.value(field, params)
        needs, hosts = settled.reads((env, path, None if uses == "shell" else params), more.get("when", ()))
        made = PlanStep(
            name=name,
            uses=uses,
            params=params,
            path=path or None,
            env=env,
            secrets=action.secrets,
            timeout=action.timeout,
            idle_timeout=action.idle_timeout,
            grace=action.grace,
            stdin=action.stdin,
            needs_outputs=tuple(sorted(needs)),
            needs_hosts=tuple(sorted(hosts)),
            retry=RetryPolicy(**action.retry.model_dump()) if action.retry else None,
            idempotent=action.idempotent,
            stop_after=action.stop_after,
            lost_after=action.lost_after,
            **more,
        )
        self.steps.append(made)
        return len(self.steps) - 1


class _Gates:
    """The gates of one block. On hosts of its own a gate runs after each batch: each time it is a step of the plan."""

    def __init__(self, laying: Laying, block: Step, gate: Gate, outer: Step | None) -> None:
        self._laying = laying
        self._gate = gate
        self._block = block
        self._outer = outer
        self._name = gate.name or f"{block.name} gate"
        self._own = None if gate.on is None else laying._find(self._name, gate.on)
        self._shared = None if self._own else self._plan(self._name)

    def _plan(self, name: str) -> int:
        # Whom the block passes over its gate does not ask; on hosts of its own it asks all the same.
        when = () if self._own else _when(self._block)
        return self._laying._plan(name, self._gate, self._outer, when=when)

    def at(self, number: int, stage: int) -> GateAt:
        """Return where the gate of this batch runs, whose stage has this index."""
        if self._own is None:
            assert self._shared is not None
            return GateAt(self._shared)
        index = self._plan(f"{self._name} {number}")
        return GateAt(index, *self._laying._places(index, self._own, stage))


def _when(*steps: Step | None) -> tuple[str, ...]:
    """Return the conditions of a block and of a step inside of it."""
    return tuple(step.when for step in steps if step is not None and step.when is not None)


def _command(field: str, action: Action) -> tuple[str, dict[str, Any]]:
    if action.run is not None:
        return "shell", {"run": action.run, **({"shell": action.shell} if action.shell else {})}
    if not action.uses:
        raise InvalidRequest(field=field, reason=because("nothing_to_do"))
    return action.uses, dict(action.with_)
