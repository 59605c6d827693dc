"""What the values of a task mean together, beyond their form. Tolerates any form: the shape is reported elsewhere."""

from __future__ import annotations

import shlex
from typing import Any

from plumber_core.errors import InvalidRequest
from plumber_core.model.limits import MAX_STEPS
from plumber_core.model.names import is_identifier, is_reserved
from plumber_core.planning import target_grammar
from plumber_core.planning.blocks import Place, places
from plumber_core.planning.document import Path
from plumber_core.planning.expressions import OPENING, Expression, ExpressionError
from plumber_core.planning.problems import Report
from plumber_core.planning.rules_locks import check_locks
from plumber_core.planning.rules_needs import check_needs
from plumber_core.planning.rules_retries import check_retries
from plumber_core.planning.rules_secrets import check_secrets
from plumber_core.planning.targets import named
from plumber_core.planning.templates import parse_template
from plumber_core.reasons import because


def check_rules(task: dict[str, Any], report: Report) -> None:
    """Report what contradicts itself or says too little in a task's steps."""
    check_variables(task.get("env"), ("env",), report)
    check_target(task.get("on"), ("on",), report)
    steps = task.get("steps")
    if not isinstance(steps, list):
        return
    if not steps:
        report.add("no_steps", ("steps",))
    found = list(places(task))
    if len(found) > MAX_STEPS:
        report.add("too_many_steps", ("steps",), actual=len(found), limit=MAX_STEPS)
        return
    check_locks(task, found, report)
    seen: set[str] = set()
    for place in found:
        _check_step(place, task.get("on"), report)
        _check_unique(place, seen, report)
    check_needs(found, report)


def _check_unique(place: Place, seen: set[str], report: Report) -> None:
    name = place.step.get("name")
    if isinstance(name, str):
        if name in seen:
            report.add("duplicate_step", (*place.path, "name"), name=name)
        seen.add(name)


def _check_step(place: Place, task_target: Any, report: Report) -> None:
    step, path = place.step, place.path
    _check_command(place, report)
    check_variables(step.get("env"), (*path, "env"), report)
    check_variables(step.get("secrets"), (*path, "secrets"), report)
    check_secrets(step, path, report)
    check_target(step.get("on"), (*path, "on"), report)
    if place.kind != "block":
        check_retries(step, path, report)
    if place.kind not in ("step", "block", "always"):
        return
    if task_target is None and step.get("on") is None:
        report.add("no_target", path, step=place.label)
    if "rollout" in step or place.kind == "block":
        _check_fixed_hosts(place, task_target, report)


def _check_fixed_hosts(place: Place, task_target: Any, report: Report) -> None:
    """Whoever runs a step of a pool is not known before, so it cannot be counted into batches."""
    own = place.step.get("on")
    wanted = _pool_of(task_target if own is None else own)
    if wanted:
        key = "name" if own is None else "on"
        report.add("bad_target", (*place.path, key), reason=because("rollout_pool", wanted=wanted))


def _pool_of(target: Any) -> int:
    if not isinstance(target, str) or OPENING in target:
        return 0
    try:
        return target_grammar.parse(target).any_of
    except InvalidRequest:
        return 0


def _check_command(place: Place, report: Report) -> None:
    step, path, label = place.step, place.path, place.label
    run, uses = step.get("run"), step.get("uses")
    if place.kind == "block":
        if isinstance(step["steps"], list) and not step["steps"]:
            report.add("empty_block", (*path, "steps"), step=label)
        return
    if run and uses:
        report.add("two_commands", (*path, "uses"), at_key=True, step=label)
    if "steps" in step:
        return
    if run in (None, "") or (isinstance(run, str) and not run.strip()):
        if uses in (None, ""):
            report.add("no_command", path, step=label)
        if "shell" in step:
            report.add("shell_without_run", (*path, "shell"), at_key=True, step=label)
    if isinstance(step.get("shell"), str) and (reason := _unsplittable(step["shell"])):
        report.add("bad_value", (*path, "shell"), key="shell", reason=reason)
    if "with" in step and not uses:
        report.add("with_without_uses", (*path, "with"), at_key=True, step=label)


def _unsplittable(shell: str) -> str | None:
    try:
        return None if shlex.split(shell) else because("empty")
    except ValueError as error:
        return str(error).lower()


def check_variables(env: Any, path: Path, report: Report) -> None:
    """Report names that no environment can carry, or that the runner sets itself."""
    for name in env if isinstance(env, dict) else ():
        if not is_identifier(name):
            report.add("bad_variable_name", (*path, name), at_key=True, name=name)
        elif is_reserved(name):
            report.add("reserved_variable", (*path, name), at_key=True, name=name)


def check_target(target: Any, path: Path, report: Report) -> None:
    """Report a target that cannot be read."""
    if isinstance(target, list) and not target:
        report.add("bad_target", path, reason=because("no_names"))
    for index, item in enumerate(target if isinstance(target, list) else ()):
        if isinstance(item, str):
            _try((*path, index), report, named, item)
    if isinstance(target, str):
        _try(path, report, _parse, target)


def _parse(expression: str) -> None:
    try:
        parts = parse_template(expression)
    except ExpressionError:
        return
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return
    target_grammar.parse("".join(part if isinstance(part, str) else "x" for part in parts))


def _try(path: Path, report: Report, parse: Any, text: str) -> None:
    try:
        parse(text)
    except InvalidRequest as error:
        report.add("bad_target", path, reason=error.arguments["reason"])
