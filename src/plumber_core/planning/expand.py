"""From a task, parameters and the fleet to the frozen plan of one execution."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from plumber_core.errors import InvalidRequest, TooLarge
from plumber_core.model.agent import AgentRef
from plumber_core.model.limits import MAX_STEP_EXECUTIONS, MAX_STEPS
from plumber_core.model.plan import Plan, PlanStep, Stage
from plumber_core.model.task import Step, Task
from plumber_core.planning.expressions import EvaluationError, Expression, ExpressionError
from plumber_core.planning.hosts import Hosts
from plumber_core.planning.parameters import as_environment
from plumber_core.planning.templates import as_text, expressions_in, has_expression, render, texts_in


def expand(
    task: Task,
    parameters: Mapping[str, Any],
    agents: Sequence[AgentRef],
    *,
    revision: int | None = None,
    clean_environment: bool = True,
) -> Plan:
    """Return the plan of a run that starts now.

    Args:
        task: what to run, checked by ``parse_task`` or ``check_definition``.
        parameters: typed values, as ``parameters.bind`` returns them.
        agents: the fleet; targets are frozen to it.
        revision: the task's revision, for the record.
        clean_environment: False for a file of the original, in which there are no expressions either.

    Raises: InvalidRequest, NobodyMatches, TooLarge.
    """
    if not task.steps:
        raise InvalidRequest(field="steps", reason="the task has no steps")
    _limit("steps", len(task.steps), MAX_STEPS, "steps")
    clean = clean_environment and task.clean_environment
    settled = _Settling(parameters, expressions=clean)
    shared, per_host = _task_environment(task, parameters, settled)
    steps = tuple(_plan_step(task, step, per_host, settled) for step in task.steps)
    found = _find_hosts(task, Hosts(agents, parameters, expressions=clean))
    _limit("steps", sum(map(len, found)), MAX_STEP_EXECUTIONS, "step executions")
    hosts = {agent.id: agent for agents_of_step in found for agent in agents_of_step}
    return Plan(
        task=task.name,
        revision=revision,
        steps=steps,
        stages=tuple(Stage((index,), tuple(agent.id for agent in here)) for index, here in enumerate(found)),
        parameters=dict(parameters),
        environment=shared | as_environment(parameters),
        hosts={id: agent.name for id, agent in hosts.items()},
        clean_environment=clean,
        labels={id: agent.facts | agent.labels for id, agent in hosts.items()} if settled.reads_labels else {},
    )


def plan_hash(plan: Plan) -> str:
    """Return 64 characters that change when anything in the plan does."""
    text = json.dumps(plan.to_json(), sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _limit(field: str, actual: int, limit: int, unit: str) -> None:
    if actual > limit:
        raise TooLarge(field=field, actual=actual, limit=limit, unit=unit)


def _find_hosts(task: Task, hosts: Hosts) -> list[list[AgentRef]]:
    found = []
    for step in task.steps:
        on = step.on if step.on is not None else task.on
        if on is None:
            raise InvalidRequest(field=f"steps.{step.name}.on", reason="neither the step nor the task has a target")
        found.append(hosts.of(step.name, on))
    return found


def _task_environment(
    task: Task, parameters: Mapping[str, Any], settled: _Settling
) -> tuple[dict[str, str], dict[str, str]]:
    """Return what every command gets, and what differs from host to host and so belongs to each step."""
    values = {name: settled.value("env", value) for name, value in task.env.items()}
    given = as_environment(parameters)
    per_host = {name: str(value) for name, value in values.items() if _is_open(value) and name not in given}
    shared = {name: as_text(value) for name, value in values.items() if not _is_open(value)}
    return shared, per_host if settled.expressions else {}


def _is_open(value: Any) -> bool:
    return isinstance(value, str) and has_expression(value)


def _plan_step(task: Task, step: Step, per_host: dict[str, str], settled: _Settling) -> PlanStep:
    field = f"steps.{step.name}"
    uses, params = _command(step)
    env = {name: as_text(settled.value(field, value)) for name, value in (per_host | step.env).items()}
    path = step.path if step.path is not None else task.path
    path = None if path is None else as_text(settled.value(field, path))
    params = params if uses == "shell" else settled.value(field, params)
    needs = set(settled.reads((env, path, None if uses == "shell" else params)))
    return PlanStep(
        name=step.name,
        uses=uses,
        params=params,
        path=path or None,
        env=env,
        timeout=step.timeout,
        idle_timeout=step.idle_timeout,
        grace=step.grace,
        stdin=step.stdin,
        on_failure=step.on_failure,
        needs_outputs=tuple(sorted(needs)),
    )


def _command(step: Step) -> tuple[str, dict[str, Any]]:
    if step.run is not None:
        return "shell", {"run": step.run, **({"shell": step.shell} if step.shell else {})}
    if not step.uses:
        raise InvalidRequest(field=f"steps.{step.name}", reason="it has neither run nor uses")
    return step.uses, dict(step.with_)


class _Settling:
    """Fills in what depends on parameters alone, so that the plan shows it; the rest waits for its host."""

    def __init__(self, parameters: Mapping[str, Any], *, expressions: bool) -> None:
        self.expressions = expressions
        self.reads_labels = False
        self._variables = {"params": dict(parameters)}

    def value(self, field: str, value: Any) -> Any:
        """Return a JSON value with everything settled that can be."""
        if not self.expressions:
            return value
        if isinstance(value, dict):
            return {key: self.value(field, item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(field, item) for item in value]
        return self._text(field, value) if isinstance(value, str) and has_expression(value) else value

    def _text(self, field: str, text: str) -> Any:
        try:
            if any(expression.roots - {"params"} for expression in expressions_in(text)):
                return text
            settled = render(text, self._variables)
        except ExpressionError as error:
            raise InvalidRequest(field=field, reason=error.code) from None
        except EvaluationError as error:
            raise InvalidRequest(field=field, reason=error.reason) from None
        # A value that looks like an expression must not become one: it is filled in at the very end instead.
        return text if any(texts_in(settled)) else settled

    def reads(self, value: Any) -> Iterator[str]:
        """Yield the names of the steps whose outputs a value reads, and note whether it reads labels."""
        for expression in expressions_in(value) if self.expressions else ():
            self.reads_labels |= _reads_labels(expression)
            yield from expression.steps


def _reads_labels(expression: Expression) -> bool:
    return "agent" in expression.roots and "labels" in expression.source
