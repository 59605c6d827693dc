"""The published JSON Schema of task files: exactly the keys that work, nothing that is refused."""

from __future__ import annotations

from typing import Any

from plumber_core.model.names import IDENTIFIER
from plumber_core.model.task import Task
from plumber_core.planning.keys import (
    ALWAYS_KEYS,
    BLOCK_KEYS,
    CONCURRENCY_KEYS,
    GATE_KEYS,
    INNER_KEYS,
    NOTIFY_KEYS,
    PARAMETER_KEYS,
    RETRY_KEYS,
    ROLLOUT_KEYS,
    STEP_KEYS,
    TASK_KEYS,
)
from plumber_core.planning.parameter_types import CHOOSING

DIALECT = "https://json-schema.org/draft/2020-12/schema"
_VARIABLE = f"^{IDENTIFIER.pattern}$"
_WRITTEN = {"type": ["string", "number", "boolean"]}
_TASK_TEXT = {
    "name": "unique name of the task",
    "description": "what the task is for",
    "params": "what a run may be given; each becomes an environment variable of its own name",
    "env": "environment variables of every command; expressions may read params and agent",
    "path": "folder in which commands start, unless a step names another",
    "timeout": "of the whole run: what still runs is cancelled then, and the run has failed",
    "queue_timeout": "how long a step may wait for its agent; expired then",
    "concurrency": "how many executions run at once, and what becomes of one more",
    "locks": "what a run holds from its first step to its last: names, such as db:shared or host:{agent}",
    "offline": "what becomes of offline hosts: fail, skip, queue 24h, or {policy, quorum}; without it they are awaited",
    "notify": "who is told what became of a run: names of channels that the server's settings define",
    "steps": "what to do, in order; a step ends on all its hosts before the next begins",
    "always": "steps that run in order when all others have ended: after success, failure and cancel",
    "labels": "free words for searching",
    "allow_empty": "a step whose target matches no agent is left out instead of refusing the run",
}
_STEP_TEXT = {
    "name": "unique name of the step",
    "run": 'a command for /bin/sh -e -c; parameters are environment variables: "$version"',
    "uses": "an executor, such as script or http",
    "with": "the executor's parameters; expressions are allowed",
    "allow_empty": "when its target matches no agent, it is left out instead of refusing the run",
    "path": "folder in which the command starts",
    "env": "environment variables; they win over the task's and over parameters",
    "secrets": "environment variables whose values are fetched on the host: SCHEME:NAME, such as file:db-password",
    "shell": "the command line of another interpreter; -c and the command follow it",
    "stdin": "what the command reads; empty unless given",
    "when": "a condition, true or false on each host, in CEL; success(), failed() and always() tell how it went so far",
    "needs": "names of steps that must have ended before; with any in the task, steps without it start at once",
    "on_failure": "stop ends the run, or in a block the host's turn; continue goes on and counts a warning; pause "
    "pauses the run until somebody has tried it again, skipped it or says go on",
    "steps": "a block: every host carries these out in order, without waiting for the others",
    "rollout": "how it spreads over its hosts, batch by batch; all at once without it",
    "locks": "what it holds on a host while it runs there: names, such as db:shared or host:{agent}",
    "retry": "when it is tried again; without it, it is started at most once",
    "idempotent": "running it twice does no harm, not even at the same time",
    "on_disconnect": "what the command does while its agent hears nothing; default continue",
    "stop_after": "the agent ends the command after this long without the control plane; at least 1m",
    "lost_after": "how long its agent may be silent until the outcome counts as unknown; default 15m",
}
_ROLLOUT_TEXT = {
    "batches": "sizes such as 1 5 20% 100%, 10%, 5 *2 or 5 +10; the last one is repeated",
    "max_failures": "how many hosts of the block may fail, or {total, batch}; with more no further host begins",
    "pause": "between two batches: a duration, or manual until somebody says go",
    "gate": "a step that must succeed after each batch: on the hosts that got through, or on its own target",
    "order": "of the hosts: name, random, or {label: NAME} by the label's value",
}
_NOTIFY_TEXT = {
    "failure": "when a run failed",
    "recovery": "when a run succeeded after the last one had failed",
    "success": "whenever a run succeeded",
    "waiting": "when a run waits for somebody",
}
_CONCURRENCY_TEXT = {
    "key": "executions with the same key are counted together; without it the task's name",
    "limit": "how many of them run at once",
    "overlap": "what becomes of one more: it waits in a queue, is skipped, or replaces the one that runs",
    "priority": "of those that wait the highest begins first, then the one that came first",
    "max_queued": "how many may wait; one more is not run",
}
_RETRY_TEXT = {
    "attempts": "how many there are at most, the first included",
    "delay": "time before the second attempt",
    "backoff": "by what each delay is longer than the one before; 2 doubles it",
    "max_delay": "no delay is longer",
    "jitter": "the share by which a delay may be shorter or longer, so that many hosts do not come back at once",
    "on": "what is tried again; lost (outcome unknown) needs idempotent or stop_after",
    "exit_codes": "of failures only those with these exit codes",
}
_PARAMETER_TEXT = {
    "type": "what values are read as; text may have several lines, multi-enum takes several choices",
    "description": "what the parameter is for",
    "required": "a run must give a value",
    "default": "used when a run gives no value",
    "pattern": "a regular expression that the value must contain; use ^ and $ for all of it",
    "choices": "the values of an enum or a multi-enum",
    "min": "smallest number, shortest text or list",
    "max": "largest number, longest text or list",
}


def task_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a task file."""
    generated = Task.model_json_schema(by_alias=True, mode="validation")
    definitions = generated["$defs"]
    step = _action(definitions["Step"], STEP_KEYS)
    step["oneOf"].append({"required": ["steps"]})
    step["dependentSchemas"] = {"steps": {"properties": {key: key in BLOCK_KEYS for key in STEP_KEYS}}}
    step["properties"]["steps"] |= {"items": {"$ref": "#/$defs/Inner"}, "minItems": 1}
    task = _mapping(generated, TASK_KEYS, _TASK_TEXT)
    task["properties"]["env"] = _variables(task["properties"]["env"])
    task["properties"]["labels"] |= {"additionalProperties": _WRITTEN}
    task["properties"]["params"] |= {"propertyNames": {"pattern": _VARIABLE}}
    task["properties"]["steps"] |= {"minItems": 1}
    task["properties"]["always"] |= {"items": {"$ref": "#/$defs/Always"}}
    parameter = _mapping(definitions["Parameter"], PARAMETER_KEYS, _PARAMETER_TEXT)
    parameter["allOf"] = [
        {
            "if": {"properties": {"type": {"enum": list(CHOOSING)}}, "required": ["type"]},
            "then": {"required": ["choices"]},
        }
    ]
    head = {"$schema": DIALECT, "title": "Plumber task", "description": "A named definition made of steps."}
    retry = _mapping(definitions["Retry"], RETRY_KEYS, _RETRY_TEXT)
    notify = _mapping(definitions["Notify"], NOTIFY_KEYS, _NOTIFY_TEXT)
    rollout = _mapping(definitions["Rollout"], ROLLOUT_KEYS, _ROLLOUT_TEXT)
    inner, gate = _action(definitions["Step"], INNER_KEYS), _action(definitions["Gate"], GATE_KEYS)
    task["properties"]["concurrency"] = {"$ref": "#/$defs/Concurrency"} | {"description": _TASK_TEXT["concurrency"]}
    concurrency = _mapping(definitions["Concurrency"], CONCURRENCY_KEYS, _CONCURRENCY_TEXT)
    always = _action(definitions["Step"], ALWAYS_KEYS)
    always["properties"]["timeout"] |= {"default": "10m"}
    steps = {"Step": step, "Inner": inner, "Gate": gate, "Always": always, "Rollout": rollout}
    steps["Concurrency"] = concurrency
    return head | task | {"$defs": {"Parameter": parameter, "Retry": retry, "Notify": notify, **steps}}


def _action(model: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    """Return the schema of what runs a command or uses an executor."""
    texts = {key: text for key, text in _STEP_TEXT.items() if key in keys}
    action = _mapping(model, keys, texts)
    action["oneOf"] = [{"required": ["run"]}, {"required": ["uses"]}]
    action["dependentRequired"] = {"with": ["uses"], "shell": ["run"]}
    action["properties"]["env"] = _variables(action["properties"]["env"])
    action["properties"]["secrets"] |= {"propertyNames": {"pattern": _VARIABLE}}
    return action


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
