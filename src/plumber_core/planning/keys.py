"""The closed list of keys: those that work, those that wait for their engine, and everything else."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from plumber_core.model.task import Parameter, Step, Task
from plumber_core.planning.document import Path
from plumber_core.planning.problems import Report, nearest

_INTERNAL = frozenset({"clean_environment"})


def _keys(model: type[BaseModel]) -> tuple[str, ...]:
    names = (field.alias or name for name, field in model.model_fields.items())
    return tuple(name for name in names if name not in _INTERNAL)


TASK_KEYS, STEP_KEYS, PARAMETER_KEYS = _keys(Task), _keys(Step), _keys(Parameter)
TASK_LATER = frozenset({"concurrency", "locks", "timeout", "queue_timeout", "always", "schedule", "offline", "notify"})
STEP_LATER = frozenset(
    {"steps", "retry", "when", "needs", "run_as", "idempotent", "outputs", "secrets", "limits", "matrix", "rollout"}
).union(("on_disconnect", "stop_after", "lost_after"))
TYPES_LATER = frozenset({"secret", "file", "json", "date", "time", "duration", "agent", "agents"})
TEXT_KEYS = frozenset({"name", "description", "run", "uses", "path", "shell", "stdin"})
"""Where a number or a switch that stands without quotes is read as the text that was written."""


def check_keys(task: dict[str, Any], report: Report) -> None:
    """Report keys that nobody knows, and those without an engine."""
    _check(task, (), "A task", TASK_KEYS, TASK_LATER, report)
    parameters = task.get("params")
    for name, parameter in parameters.items() if isinstance(parameters, dict) else ():
        if isinstance(parameter, dict):
            _check(parameter, ("params", name), "A parameter", PARAMETER_KEYS, frozenset(), report)
    steps = task.get("steps")
    for index, step in enumerate(steps) if isinstance(steps, list) else ():
        if isinstance(step, dict):
            _check(step, ("steps", index), "A step", STEP_KEYS, STEP_LATER, report)


def _check(
    mapping: dict[str, Any], path: Path, where: str, known: tuple[str, ...], later: frozenset[str], report: Report
) -> None:
    for key in mapping:
        if key in known:
            continue
        if key in later:
            report.add("not_supported_yet", (*path, key), at_key=True, key=key)
        else:
            guess = nearest(key, known)
            report.add("unknown_key", (*path, key), at_key=True, nearest=guess, key=key, where=where)
