"""What the values of a task mean together, beyond their form. Tolerates any form: the shape is reported elsewhere."""

from __future__ import annotations

import shlex
from typing import Any

from plumber_core.errors import InvalidRequest, NotSupportedYet
from plumber_core.model.limits import MAX_STEPS
from plumber_core.model.names import is_identifier, is_reserved
from plumber_core.planning import target_grammar
from plumber_core.planning.document import Path
from plumber_core.planning.expressions import Expression, ExpressionError
from plumber_core.planning.problems import Report
from plumber_core.planning.targets import named
from plumber_core.planning.templates import parse_template


def check_rules(task: dict[str, Any], report: Report) -> None:
    """Report what contradicts itself or says too little in a task's steps."""
    check_variables(task.get("env"), ("env",), report)
    check_target(task.get("on"), ("on",), report)
    steps = task.get("steps")
    if not isinstance(steps, list):
        return
    if not steps:
        report.add("no_steps", ("steps",))
    if len(steps) > MAX_STEPS:
        report.add("too_many_steps", ("steps",), actual=len(steps), limit=MAX_STEPS)
        return
    seen: set[str] = set()
    for index, step in enumerate(steps):
        if isinstance(step, dict):
            _check_step(step, index, task.get("on") is not None, report)
            _check_unique(step.get("name"), index, seen, report)


def _check_unique(name: Any, index: int, seen: set[str], report: Report) -> None:
    if isinstance(name, str):
        if name in seen:
            report.add("duplicate_step", ("steps", index, "name"), name=name)
        seen.add(name)


def _check_step(step: dict[str, Any], index: int, has_target: bool, report: Report) -> None:
    path: Path = ("steps", index)
    _check_command(step, path, report)
    check_variables(step.get("env"), (*path, "env"), report)
    check_target(step.get("on"), (*path, "on"), report)
    if not has_target and step.get("on") is None:
        report.add("no_target", path, step=_label(step, index))


def _check_command(step: dict[str, Any], path: Path, report: Report) -> None:
    label = _label(step, int(path[-1]))
    run, uses = step.get("run"), step.get("uses")
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
        return None if shlex.split(shell) else "it is empty"
    except ValueError as error:
        return str(error).lower()


def _label(step: dict[str, Any], index: int) -> str:
    name = step.get("name")
    return name if isinstance(name, str) and name else str(index + 1)


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
        report.add("bad_target", path, reason="the list of names is empty")
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
    except NotSupportedYet as error:
        report.add("not_supported_yet", path, key=error.arguments["key"])
    except InvalidRequest as error:
        report.add("bad_target", path, reason=error.arguments["reason"])
