"""The published JSON Schema of task files: exactly the keys that work, nothing that is refused."""

from __future__ import annotations

from typing import Any

from plumber_core.model.names import IDENTIFIER
from plumber_core.model.task import Task
from plumber_core.planning.keys import PARAMETER_KEYS, STEP_KEYS, TASK_KEYS

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = f"^{IDENTIFIER.pattern}$"
_WRITTEN = {"type": ["string", "number", "boolean"]}
_TASK_TEXT = {
    "name": "unique name of the task",
    "description": "what the task is for",
    "params": "what a run may be given; each becomes an environment variable of its own name",
    "env": "environment variables of every command; expressions may read params and agent",
    "path": "folder in which commands start, unless a step names another",
    "steps": "what to do, in order; a step ends on all its hosts before the next begins",
    "labels": "free words for searching",
}
_STEP_TEXT = {
    "name": "unique name of the step",
    "run": 'a command for /bin/sh -e -c; parameters are environment variables: "$version"',
    "uses": "an executor, such as script or http",
    "with": "the executor's parameters; expressions are allowed",
    "path": "folder in which the command starts",
    "env": "environment variables; they win over the task's and over parameters",
    "shell": "the command line of another interpreter; -c and the command follow it",
    "stdin": "what the command reads; empty unless given",
    "on_failure": "stop ends the run, continue goes on and counts a warning",
}
_PARAMETER_TEXT = {
    "type": "what values are read as; text may have several lines",
    "description": "what the parameter is for",
    "required": "a run must give a value",
    "default": "used when a run gives no value",
    "pattern": "a regular expression that the value must contain; use ^ and $ for all of it",
    "choices": "the values of an enum",
    "min": "smallest number, shortest text or list",
    "max": "largest number, longest text or list",
}


def task_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a task file."""
    generated = Task.model_json_schema(by_alias=True, mode="validation")
    definitions = generated["$defs"]
    step = _mapping(definitions["Step"], STEP_KEYS, _STEP_TEXT)
    step["oneOf"] = [{"required": ["run"]}, {"required": ["uses"]}]
    step["dependentRequired"] = {"with": ["uses"], "shell": ["run"]}
    step["properties"]["env"] = _variables(step["properties"]["env"])
    task = _mapping(generated, TASK_KEYS, _TASK_TEXT)
    task["properties"]["env"] = _variables(task["properties"]["env"])
    task["properties"]["labels"] |= {"additionalProperties": _WRITTEN}
    task["properties"]["params"] |= {"propertyNames": {"pattern": _VARIABLE}}
    task["properties"]["steps"] |= {"minItems": 1}
    parameter = _mapping(definitions["Parameter"], PARAMETER_KEYS, _PARAMETER_TEXT)
    parameter["allOf"] = [
        {"if": {"properties": {"type": {"const": "enum"}}, "required": ["type"]}, "then": {"required": ["choices"]}}
    ]
    head = {"$schema": DIALECT, "title": "Plumber task", "description": "A named definition made of steps."}
    return head | task | {"$defs": {"Parameter": parameter, "Step": step}}


def _variables(schema: dict[str, Any]) -> dict[str, Any]:
    return schema | {"propertyNames": {"pattern": _VARIABLE}, "additionalProperties": _WRITTEN}


def _mapping(model: dict[str, Any], keys: tuple[str, ...], texts: dict[str, str]) -> dict[str, Any]:
    """Return a model's schema with these keys only, in their order, without what pydantic says for itself."""
    properties = {key: _property(model["properties"][key]) for key in keys}
    for key, text in texts.items():
        properties[key] |= {"description": text}
    required = {"required": model["required"]} if model.get("required") else {}
    return {"type": "object", "properties": properties, **required, "additionalProperties": False}


def _property(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of one value: an absent key is simply absent, so ``null`` is no value of its own."""
    kept = {key: value for key, value in schema.items() if key not in ("title", "default")}
    options = [option for option in kept.get("anyOf", ()) if option != {"type": "null"}]
    if len(options) == 1:
        del kept["anyOf"]
        kept = options[0] | kept
    elif options:
        kept["anyOf"] = options
    if isinstance(schema.get("default"), str | int | float | bool) and schema.get("default") != "":
        kept["default"] = schema["default"]
    return kept
