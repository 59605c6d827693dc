"""From a step of the plan to what one host gets: the last expressions are filled in right before it starts."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from plumber_core.errors import InvalidRequest
from plumber_core.model.names import is_text
from plumber_core.model.plan import Plan, PlanStep
from plumber_core.planning.expressions import EvaluationError
from plumber_core.planning.hidden import render_hidden
from plumber_core.planning.templates import as_text, expressions_in, render_text, texts_in
from plumber_core.protocol.messages import StepSpec
from plumber_core.reasons import because

Outputs = Mapping[str, Mapping[str, Mapping[str, str]]]
"""Step name -> agent id -> key -> value."""
SUMMARY_LENGTH = 200


def render_step(plan: Plan, step: int, host: str, execution: str, outputs: Outputs) -> StepSpec:
    """Return step number ``step`` as the agent ``host`` gets it.

    ``outputs`` holds those of the steps in the step's ``needs_outputs``, of all their hosts.

    Raises: InvalidRequest, whose field names the step, when an expression has no value here.
    """
    planned = plan.steps[step]
    path, env, params, hidden = planned.path, planned.env, planned.params, list[Any]()
    if plan.clean_environment and any(texts_in(_templates(planned))):
        path, env, params, hidden = _render(plan, planned, host, outputs)
    return StepSpec(
        execution=execution,
        task=plan.task,
        step=planned.name,
        index=step,
        uses=planned.uses,
        params=params,
        env={**plan.environment, **env},
        path=path or None,
        timeout=planned.timeout,
        idle_timeout=planned.idle_timeout,
        grace=planned.grace,
        stdin=planned.stdin,
        clean_environment=plan.clean_environment,
        stop_after=planned.stop_after,
        secrets={"env": planned.secrets, "with": hidden} if planned.secrets else None,
    )


def summary(step: PlanStep) -> str:
    """Return a step's command as people read it, on one line: ``make dist`` or ``http url=https://...``."""
    run = step.params.get("run")
    if step.uses == "shell" and isinstance(run, str):
        lines = [line for line in run.strip().splitlines() if line.strip()] or [""]
        return _short(lines[0]) + (" ..." if len(lines) > 1 else "")
    words = [step.uses, *(f"{key}={shlex.quote(as_text(value))}" for key, value in step.params.items())]
    return _short(" ".join(" ".join(words).split()))


def _short(line: str) -> str:
    return line if len(line) <= SUMMARY_LENGTH else line[: SUMMARY_LENGTH - 4] + " ..."


def _templates(step: PlanStep) -> tuple[Any, ...]:
    """Return where expressions may stand: never in a command."""
    return (step.path, step.env, None if step.uses == "shell" else step.params)


def _render(
    plan: Plan, step: PlanStep, host: str, outputs: Outputs
) -> tuple[str | None, dict[str, str], dict[str, Any], list[Any]]:
    variables = variables_at(plan, step, host, outputs)
    try:
        path = None if step.path is None else render_text(step.path, variables)
        env = {name: render_text(value, variables) for name, value in step.env.items()}
        params, hidden = (step.params, []) if step.uses == "shell" else render_hidden(step.params, variables)
    except EvaluationError as error:
        read = {pair for expression in expressions_in(_templates(step)) for pair in expression.outputs}
        reason = explain(error, read, plan, host, outputs)
        raise InvalidRequest(field=f"steps.{step.name}", reason=reason, step=step.name) from None
    for text in (path or "", *env.values()):
        if not is_text(text):
            raise InvalidRequest(field=f"steps.{step.name}", reason=because("nul"), step=step.name)
    return path, env, params, hidden


def variables_at(plan: Plan, step: PlanStep, host: str, outputs: Outputs) -> dict[str, Any]:
    """Return what the expressions of a step know on a host."""
    return {"params": plan.parameters, "agent": _agent(plan, host), "steps": _steps(plan, step, host, outputs)}


def _agent(plan: Plan, host: str) -> dict[str, Any]:
    return {"id": host, "name": plan.hosts.get(host, host), "labels": plan.labels.get(host, {})}


def _steps(plan: Plan, step: PlanStep, host: str, outputs: Outputs) -> dict[str, Any]:
    return {name: _step(plan, name, host, outputs.get(name, {})) for name in step.needs_outputs}


def _step(plan: Plan, name: str, host: str, by_host: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Return what an expression sees of an earlier step: this host's outputs, else those of its only host."""
    ran_on = _ran_on(plan, name, by_host)
    own = by_host.get(host, {})
    single = by_host.get(ran_on[0], {}) if len(ran_on) == 1 else {}
    each = {key: {"outputs": dict(by_host.get(id, {}))} for id in ran_on for key in (id, plan.hosts.get(id, id))}
    return {"outputs": {**single, **own}, "hosts": each}


def _ran_on(plan: Plan, name: str, by_host: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    """Return the hosts of a step; of a pool's, those that have set something."""
    index = next((index for index, step in enumerate(plan.steps) if step.name == name), None)
    if index is None:
        return ()
    return tuple(by_host) if plan.pool_of(index) else plan.hosts_of(index)


def explain(error: EvaluationError, read: Iterable[tuple[str, str]], plan: Plan, host: str, outputs: Outputs) -> str:
    """Return why an expression has no value; for a missing output of those that it ``read``, what was meant or what
    would work."""
    for name, key in sorted(read):
        if key != error.missing:
            continue
        having = [id for id in _ran_on(plan, name, outputs.get(name, {})) if key in outputs.get(name, {}).get(id, {})]
        if having and host not in having:
            other = plan.hosts.get(having[0], having[0])
            return f"{name} ran on several hosts: write steps[{name!r}].hosts[{other!r}].outputs.{key}"
        if not having:
            return f"step {name} has set no output {key}"
    return error.reason
