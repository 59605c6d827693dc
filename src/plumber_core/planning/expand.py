"""From a task, parameters and the fleet to the frozen plan of one execution."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any

from plumber_core.errors import InvalidRequest, TooLarge
from plumber_core.model.agent import AgentRef
from plumber_core.model.limits import MAX_STEP_EXECUTIONS, MAX_STEPS
from plumber_core.model.offline import absence_of
from plumber_core.model.plan import Plan
from plumber_core.model.task import Task
from plumber_core.planning.holds import check_pools, planned_locks, planned_queue
from plumber_core.planning.hosts import Hosts, TargetsOf
from plumber_core.planning.laying import Laying
from plumber_core.planning.parameters import as_environment
from plumber_core.planning.partition import parts_of
from plumber_core.planning.rollouts import seed_of
from plumber_core.planning.settling import Settling
from plumber_core.planning.templates import as_text, has_expression
from plumber_core.reasons import Because, because


def expand(
    task: Task,
    parameters: Mapping[str, Any],
    agents: Sequence[AgentRef],
    *,
    revision: int | None = None,
    clean_environment: bool = True,
    hosts: TargetsOf | None = None,
) -> Plan:
    """Return the plan of a run that starts now.

    Args:
        task: what to run, checked by ``parse_task`` or ``check_definition``.
        parameters: typed values, as ``parameters.bind`` returns them.
        agents: the fleet; targets are frozen to it.
        revision: the task's revision, for the record.
        clean_environment: False for a file of the original, in which there are no expressions either.
        hosts: answers where steps run, instead of a look at the fleet.

    Raises: InvalidRequest, NobodyMatches, TooLarge.
    """
    if not task.steps:
        raise InvalidRequest(field="steps", reason=because("no_steps"))
    clean = clean_environment and task.clean_environment
    settled = Settling(parameters, expressions=clean)
    shared, per_host = _task_environment(task, parameters, settled)
    hosts = hosts or Hosts(agents, parameters, expressions=clean)
    seed = seed_of(task.name, revision, json.dumps(parameters, sort_keys=True))
    laying = Laying(task, hosts, settled, per_host, seed)
    for step in task.steps:
        laying.add(step)
    for step in task.always:
        laying.add_always(step)
    steps, stages = tuple(laying.steps), tuple(laying.stages)
    _limit("steps", len(steps), MAX_STEPS, because("unit_steps"))
    executions = sum(len(stage.chain) * len(stage.hosts) for stage in stages)
    _limit("steps", executions, MAX_STEP_EXECUTIONS, because("unit_executions"))
    plan = Plan(
        task=task.name,
        revision=revision,
        steps=steps,
        stages=stages,
        parameters=dict(parameters),
        environment=shared | as_environment(parameters),
        hosts={id: agent.name for id, agent in laying.agents.items()} | laying.unclaimed,
        clean_environment=clean,
        labels={id: agent.facts | agent.labels for id, agent in laying.agents.items()} if settled.reads_labels else {},
        timeout=task.timeout,
        queue_timeout=task.queue_timeout,
        offline=absence_of(task.offline),
        notify=task.notify.by_occasion() if task.notify is not None else {},
        locks=planned_locks(task.locks, "locks", settled),
        concurrency=planned_queue(task.concurrency, task.name, settled),
        parts=parts_of(task, laying.spans),
    )
    check_pools(plan)
    return plan


def plan_hash(plan: Plan) -> str:
    """Return 64 characters that change when anything in the plan does."""
    text = json.dumps(plan.to_json(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _limit(field: str, actual: int, limit: int, unit: Because) -> None:
    if actual > limit:
        raise TooLarge(field=field, actual=actual, limit=limit, unit=unit)


def _task_environment(
    task: Task, parameters: Mapping[str, Any], settled: Settling
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what every command gets, and what differs from host to host and so belongs to each step."""
    values = {name: settled.value("env", value) for name, value in task.env.items()}
    given = as_environment(parameters)
    per_host = {name: str(value) for name, value in values.items() if _is_open(value) and name not in given}
    shared = {name: as_text(value) for name, value in values.items() if not _is_open(value)}
    return shared, per_host if settled.expressions else {}


def _is_open(value: Any) -> bool:
    return isinstance(value, str) and has_expression(value)
