"""The generated parts about rules: the task language, states, numbers, and which package may import which."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from plumber_client.plugins.http_step import HttpStep
from plumber_core import Executor
from plumber_core.builtin.reboot import WITHOUT, Reboot
from plumber_core.builtin.script import Script
from plumber_core.builtin.shell import Shell
from plumber_core.model import limits, states
from plumber_core.planning.keys import STEP_LATER, TASK_LATER, TYPES_LATER
from plumber_core.planning.schema import task_schema
from reference_markdown import code, table

_ROOT = Path(__file__).resolve().parents[1]


def task_keys() -> str:
    """Return the keys of a task."""
    return _keys(task_schema())


def step_keys() -> str:
    """Return the keys of a step."""
    return _keys(task_schema()["$defs"]["Step"])


def rollout_keys() -> str:
    """Return the keys of a rollout."""
    return _keys(task_schema()["$defs"]["Rollout"])


def concurrency_keys() -> str:
    """Return the keys of a queue of executions."""
    return _keys(task_schema()["$defs"]["Concurrency"])


def parameter_keys() -> str:
    """Return the keys of a parameter."""
    return _keys(task_schema()["$defs"]["Parameter"])


def _keys(schema: dict[str, Any]) -> str:
    required = schema.get("required", [])
    rows = [
        (f"{code(key)}{' (required)' if key in required else ''}", _type(value), _meaning(value))
        for key, value in schema["properties"].items()
    ]
    return table(("key", "is", "meaning"), rows)


def _type(schema: dict[str, Any]) -> str:
    if "enum" in schema:
        return ", ".join(code(choice) for choice in schema["enum"])
    if "anyOf" in schema:
        return " or ".join(_type(option) for option in schema["anyOf"] if option != {"type": "null"})
    names = {"string": "text", "object": "mapping", "array": "list"}
    kind = schema.get("type", "any")
    return " or ".join(names.get(one, one) for one in ([kind] if isinstance(kind, str) else kind))


def _meaning(schema: dict[str, Any]) -> str:
    about = str(schema.get("description", ""))
    default = schema.get("default")
    if default is None:
        return about
    return f"{about}{'; ' if about else ''}default {code(str(default).lower() if default is False else default)}"


def later_keys() -> str:
    """Return the keys that are refused for now."""
    rows = [("a task", TASK_LATER), ("a step", STEP_LATER), ("the `type` of a parameter", TYPES_LATER)]
    return table(("of", "refused"), [(place, " ".join(code(key) for key in sorted(keys))) for place, keys in rows])


def executors() -> str:
    """Return the built-in executors with their parameters."""
    built_in: list[Executor[Any]] = [Script(), HttpStep(), Reboot(WITHOUT), Shell()]
    return "\n\n".join(
        f"### {executor.kind}\n\n{(type(executor).__doc__ or '').strip()}\n\n{_parameters(executor.Params)}"
        for executor in built_in
    )


def _parameters(model: type[BaseModel]) -> str:
    schema = model.model_json_schema(by_alias=True)
    required = schema.get("required", [])
    rows = [
        (f"{code(name)}{' (required)' if name in required else ''}", _type(value), _meaning(value))
        for name, value in schema["properties"].items()
    ]
    return table(("parameter", "is", "meaning"), rows)


def life_of_a_step() -> str:
    """Return the picture of a step execution's states."""
    return _picture(states.STEP_EDGES, ("blocked", "ready"), states.TERMINAL_STEP_STATES)


def life_of_an_execution() -> str:
    """Return the picture of an execution's states."""
    return _picture(states.EXECUTION_EDGES, ("queued",), states.TERMINAL_EXECUTION_STATES)


def life_of_an_agent() -> str:
    """Return the picture of an agent's states."""
    return _picture(states.AGENT_EDGES, ("active",), ())


def _picture(edges: Iterable[tuple[str, str]], first: Iterable[str], last: Iterable[str]) -> str:
    lines = [f"[*] --> {state}" for state in first]
    lines += [f"{source} --> {target}" for source, target in sorted(edges)]
    lines += [f"{state} --> [*]" for state in sorted(last)]
    body = "\n".join(f"    {line}" for line in lines)
    return f"```mermaid\nstateDiagram-v2\n{body}\n```"


def step_moves() -> str:
    """Return who may move a step from where to where."""
    rows = [
        (code(source), code(target), ", ".join(sorted(actors)))
        for (source, target), actors in sorted(states.STEP_EDGES.items())
    ]
    return table(("from", "to", "who"), rows)


def numbers() -> str:
    """Return the limits and intervals that people ask for."""
    return table(
        ("what", "how much"),
        [
            (what, f"{value:,g} {unit}".strip() if value < 1e6 else f"{value:,} {unit}")
            for what, value, unit in _NUMBERS
        ],
    )


_NUMBERS: tuple[tuple[str, float, str], ...] = (
    ("heartbeat of an agent, in a fleet of up to 500", limits.HEARTBEAT, "s"),
    ("longest heartbeat, in a very large fleet", limits.HEARTBEAT_MAX, "s"),
    ("an agent is `online` when heard from within", limits.ONLINE_MIN, "s"),
    ("silence after which a running step is `unreachable` (`lease`)", limits.LEASE_MIN, "s"),
    ("silence after which its outcome is `lost` (`lost_after`)", limits.LOST_AFTER, "s"),
    ("sweep behind every push (`sweep_interval`)", limits.SWEEP_INTERVAL, "s"),
    ("shortest `stop_after`", limits.STOP_AFTER_MIN, "s"),
    ("longest time until a step's next attempt is looked for, beyond its delay", limits.SWEEP_INTERVAL, "s"),
    ("age at which ended executions are deleted (`retention_days`)", limits.Retention().days, "days"),
    ("executions of a task that stay all the same (`retention_last`)", limits.Retention().last, ""),
    ("between TERM and KILL, unless `grace` says otherwise", limits.CANCEL_GRACE, "s"),
    ("steps at once on an agent, unless it is given others", limits.AGENT_SLOTS, ""),
    ("steps of a task", limits.MAX_STEPS, ""),
    ("step executions of an execution (steps x hosts)", limits.MAX_STEP_EXECUTIONS, ""),
    ("source of a task", limits.MAX_TASK_SOURCE, "bytes"),
    ("output values of one step on one host", limits.MAX_OUTPUT_VALUES, "bytes"),
    ("body of a request", limits.MAX_REQUEST_BODY, "bytes"),
    ("calls in a JSON-RPC batch", limits.MAX_BATCH, ""),
    ("items on a page of a list", limits.MAX_PAGE, ""),
)


def rooms() -> str:
    """Return the layers of packages and of the core, top first, as import-linter holds them."""
    config = tomllib.loads((_ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = {contract["name"]: contract for contract in config["contracts"]}
    packages = " > ".join(layers["Packages import one way"]["layers"])
    core = "\n".join(layers["Layers of the core"]["layers"])
    return f"```text\n{packages}\n```\n\nInside `plumber_core`, top first:\n\n```text\n{core}\n```"
