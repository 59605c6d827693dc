"""The closed list of keys: those that work, those that wait for their engine, and everything else."""

from __future__ import annotations

from typing import Any

from plumber_core.planning.document import Path
from plumber_core.planning.problems import Report, nearest

TASK_KEYS = tuple(["name", "description", "params", "env", "on", "path", "steps", "labels"])
STEP_KEYS = tuple(
    [
        "name",
        "run",
        "uses",
        "with",
        "on",
        "path",
        "env",
        "shell",
        "timeout",
        "idle_timeout",
        "grace",
        "stdin",
        "on_failure",
    ]
)
PARAMETER_KEYS = tuple(["type", "description", "required", "default", "pattern", "choices", "min", "max"])
TASK_LATER = frozenset(["concurrency", "locks", "timeout", "queue_timeout", "always", "schedule", "offline", "notify"])
STEP_LATER = frozenset(
    [
        "steps",
        "retry",
        "when",
        "needs",
        "run_as",
        "on_disconnect",
        "stop_after",
        "lost_after",
        "idempotent",
        "outputs",
        "secrets",
        "limits",
        "matrix",
        "rollout",
    ]
)
TYPES_LATER = frozenset({"secret", "file", "json", "date", "time", "duration", "agent", "agents"})
TEXT_KEYS = frozenset(["name", "description", "run", "uses", "path", "shell", "stdin"])
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
