"""An execution goes on with another revision of its task: what its steps do is new, where they run stays frozen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from plumber_core.errors import Conflict
from plumber_core.model.agent import AgentRef
from plumber_core.model.parts import Part
from plumber_core.model.plan import Plan, Stage
from plumber_core.model.task import Rollout, Task
from plumber_core.planning.expand import expand
from plumber_core.planning.hosts import Chosen
from plumber_core.planning.rollouts import with_rollout
from plumber_core.reasons import because


def renew(
    plan: Plan, task: Task, parameters: Mapping[str, Any], agents: Sequence[AgentRef], *, revision: int | None
) -> Plan:
    """Return the plan with the steps of another revision.

    Hosts, their order and their batches stay as they were frozen. What a step does, how long it may take, how many
    hosts may fail and how long a rollout pauses are the new revision's.

    Args:
        plan: the frozen plan.
        task: the other revision.
        parameters: typed values for it.
        agents: the fleet as it is.
        revision: its number.

    Raises: InvalidRequest, Conflict (its steps are others, or stand in another order).
    """
    hosts = FrozenHosts(plan, agents)
    new = expand(task, parameters, agents, revision=revision, clean_environment=plan.clean_environment, hosts=hosts)
    _check_shape(plan, new)
    _check_parts(plan, new)
    rollouts = {step.name: step.rollout or Rollout() for step in task.steps if step.steps or step.rollout}
    stages = tuple(_with_limits(plan, stage, rollouts) for stage in plan.stages)
    return replace(
        new,
        stages=stages,
        parts=_spans(plan, new),
        hosts=plan.hosts,
        labels=new.labels | plan.labels if new.labels else {},
    )


class FrozenHosts:
    """Answers like ``hosts.Hosts``, with the hosts that a plan has for its steps and blocks."""

    def __init__(self, plan: Plan, agents: Sequence[AgentRef]) -> None:
        self._plan = plan
        self._now = {agent.id: agent for agent in agents}

    def of(self, step: str, on: str | tuple[str, ...], *, allow_empty: bool = False) -> Chosen:
        """Return where the step, block or gate with this name runs.

        Raises: Conflict (the plan has none).
        """
        stages = [stage for stage in self._plan.stages if step in self._names(stage)]
        if not stages and step not in {one.name for one in self._plan.steps}:
            raise Conflict(reason=because("resume_other_shape", step=step))
        pool = stages[0].pool if stages else ()
        hosts = pool or [host for stage in stages for host in stage.hosts]
        agents = [self._agent(host) for host in dict.fromkeys(hosts)]
        return Chosen(agents, len(stages[0].hosts) if pool else 0, step)

    def _names(self, stage: Stage) -> tuple[str, ...]:
        first = self._plan.steps[stage.chain[0]].name
        if stage.batch is None:
            return (first,)
        # On hosts of its own a gate is a step of the plan for each batch.
        return (first.removesuffix(f" {stage.batch.number}"),) if stage.batch.own else (stage.batch.block,)

    def _agent(self, host: str) -> AgentRef:
        known = self._now.get(host) or AgentRef(host, self._plan.hosts.get(host, host))
        frozen = self._plan.labels.get(host)
        return known if frozen is None else replace(known, labels=frozen, facts={})


def _check_shape(old: Plan, new: Plan) -> None:
    before, after = _shape(old), _shape(new)
    if before == after:
        return
    differing = next((pair for pair in zip(before, after, strict=False) if pair[0] != pair[1]), None)
    longer = max(before, after, key=len)[min(len(before), len(after)) :]
    name = differing[1][-1] if differing is not None else longer[0][-1]
    raise Conflict(reason=because("resume_other_shape", step=name))


def _check_parts(old: Plan, new: Plan) -> None:
    """Refuse other branches: what is done does not fit them."""
    before, after = ([(part.needs, part.always) for part in plan.parts] for plan in (old, new))
    if before != after:
        names = (part.name for part in (*new.parts, *old.parts) if part.name)
        raise Conflict(reason=because("resume_other_shape", step=next(names, new.steps[0].name)))


def _spans(old: Plan, new: Plan) -> tuple[Part, ...]:
    """Batches stay as they were frozen, and with them where the parts begin and end."""
    return tuple(
        replace(after, first=before.first, stop=before.stop) for before, after in zip(old.parts, new.parts, strict=True)
    )


def _shape(plan: Plan) -> list[tuple[str, ...]]:
    """Return steps by their names, each behind the block in which it stands."""
    blocks = {step: stage.batch.block for stage in plan.stages if stage.batch is not None for step in stage.chain}
    return [(blocks.get(index, ""), step.name) for index, step in enumerate(plan.steps)]


def _with_limits(plan: Plan, stage: Stage, rollouts: Mapping[str, Rollout]) -> Stage:
    if stage.batch is None or stage.batch.block not in rollouts:
        return stage
    block = stage.batch.block
    batches = ((one.batch, len(one.hosts)) for one in plan.stages)
    hosts = sum(size for batch, size in batches if batch is not None and batch.block == block and not batch.gate)
    return with_rollout(stage, rollouts[block], hosts)
