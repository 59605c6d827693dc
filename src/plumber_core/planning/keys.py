"""The closed list of keys: those that work, those that wait for their engine, and everything else."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from plumber_core.model.locks import Concurrency
from plumber_core.model.notices import Notify
from plumber_core.model.task import Gate, Parameter, Retry, Rollout, Step, Task
from plumber_core.planning.blocks import Kind, Place, places
from plumber_core.planning.document import Path
from plumber_core.planning.problems import Report, nearest
from plumber_core.reasons import because

_INTERNAL = frozenset({"clean_environment"})


def _keys(model: type[BaseModel]) -> tuple[str, ...]:
    names = [field.alias or name for name, field in model.model_fields.items()]
    return tuple(sorted((name for name in names if name not in _INTERNAL), key=lambda name: name != "name"))


TASK_KEYS, STEP_KEYS, PARAMETER_KEYS, RETRY_KEYS = _keys(Task), _keys(Step), _keys(Parameter), _keys(Retry)
GATE_KEYS, ROLLOUT_KEYS, NOTIFY_KEYS = _keys(Gate), _keys(Rollout), _keys(Notify)
CONCURRENCY_KEYS = _keys(Concurrency)
BLOCK_KEYS = ("name", "on", "allow_empty", "when", "needs", "path", "env", "steps", "rollout")
OF_BLOCKS = frozenset({"on", "allow_empty", "steps", "rollout", "needs"})
"""What a step inside of a block cannot have."""
INNER_KEYS = tuple(key for key in STEP_KEYS if key not in OF_BLOCKS)
OF_MAIN = frozenset({"steps", "rollout", "needs"})
"""What a step that always runs cannot have: nothing may end it but its own end."""
ALWAYS_KEYS = tuple(key for key in STEP_KEYS if key not in OF_MAIN)
TASK_LATER = frozenset({"schedule"})
STEP_LATER = frozenset({"run_as", "outputs", "limits", "matrix"})
TYPES_LATER = frozenset({"secret", "file", "json", "date", "time", "duration", "agent", "agents"})
TEXT_KEYS = frozenset({"name", "description", "run", "uses", "path", "shell", "stdin", "when"})
"""Where a number or a switch that stands without quotes is read as the text that was written."""
_KNOWN: dict[Kind, tuple[str, ...]] = {
    "step": STEP_KEYS,
    "block": BLOCK_KEYS,
    "inner": INNER_KEYS,
    "gate": GATE_KEYS,
    "always": ALWAYS_KEYS,
}
_MISPLACED: dict[Kind, str] = {"block": "key_of_inner", "gate": "key_of_no_gate", "always": "key_of_no_always"}


def check_keys(task: dict[str, Any], report: Report) -> None:
    """Report keys that nobody knows, and those without an engine."""
    _check(task, (), because("in_task"), TASK_KEYS, TASK_LATER, report)
    if isinstance(notify := task.get("notify"), dict):
        _check(notify, ("notify",), because("in_notify"), NOTIFY_KEYS, frozenset(), report)
    if isinstance(concurrency := task.get("concurrency"), dict):
        _check(concurrency, ("concurrency",), "concurrency", CONCURRENCY_KEYS, frozenset(), report)
    parameters = task.get("params")
    for name, parameter in parameters.items() if isinstance(parameters, dict) else ():
        if isinstance(parameter, dict):
            _check(parameter, ("params", name), because("in_parameter"), PARAMETER_KEYS, frozenset(), report)
    for place in places(task):
        _check_step(place, report)


def _check_step(place: Place, report: Report) -> None:
    step, path, known = place.step, place.path, _KNOWN[place.kind]
    misplaced = [key for key in step if key in STEP_KEYS and key not in known]
    for key in misplaced:
        report.add(_why_not(place.kind, key), (*path, key), at_key=True, key=key, step=place.label)
    where = because("in_gate") if place.kind == "gate" else because("in_step")
    rest = {key: value for key, value in step.items() if key not in misplaced}
    _check(rest, path, where, known, STEP_LATER, report)
    if isinstance(retry := step.get("retry"), dict):
        _check(retry, (*path, "retry"), "retry", RETRY_KEYS, frozenset(), report)
    if place.rollout is not None and "rollout" in known:
        _check(place.rollout, (*path, "rollout"), because("in_rollout"), ROLLOUT_KEYS, frozenset(), report)


def _why_not(kind: Kind, key: str) -> str:
    if kind == "inner":
        return "nested_block" if key == "steps" else "key_of_block"
    return _MISPLACED[kind]


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
