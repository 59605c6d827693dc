"""The form of a task: which values stand where. pydantic checks, this speaks."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from plumber_core.model.task import Task
from plumber_core.planning.document import Node, Path, as_written, child, plain
from plumber_core.planning.keys import (
    GATE_KEYS,
    NOTIFY_KEYS,
    PARAMETER_KEYS,
    ROLLOUT_KEYS,
    STEP_KEYS,
    TASK_KEYS,
    TEXT_KEYS,
    TYPES_LATER,
)
from plumber_core.planning.problems import Report, nearest
from plumber_core.reasons import because

_EXPECTED = {
    "string_type": because("expect_text"),
    "dict_type": because("expect_mapping"),
    "model_type": because("expect_mapping"),
    "model_attributes_type": because("expect_mapping"),
    "tuple_type": because("expect_list"),
    "list_type": because("expect_list"),
    "bool_type": because("expect_switch"),
    "float_type": because("expect_any_number"),
    "finite_number": because("expect_finite"),
}
_TEXT_TYPES = (None, "string", "text", "enum", "target")


def normalise(root: Node) -> dict[str, Any]:
    """Return the plain values: unquoted numbers as text where text belongs, keys without a value left out."""
    _write_texts(root, TEXT_KEYS)
    for mapping in (child(root, "env"), child(root, "labels")):
        _write_texts(mapping)
    for step in _steps(root):
        _write_texts(step, TEXT_KEYS)
        _write_texts(child(step, "env"))
    for parameter in _children(child(root, "params")):
        _write_parameter(parameter)
    value: dict[str, Any] = _without_nothing(plain(root), TASK_KEYS)
    if "notify" in value:
        value["notify"] = _without_nothing(value["notify"], NOTIFY_KEYS)
    if "params" in value:
        value["params"] = _each(value["params"], PARAMETER_KEYS)
    _with_steps(value)
    if "always" in value:
        value["always"] = _each(value["always"], STEP_KEYS)
    return value


def _steps(root: Node) -> list[Node]:
    """Return the nodes of all steps, those inside of blocks, gates and what always runs among them."""
    steps = _children(child(root, "steps"))
    inner = [one for step in steps for one in _children(child(step, "steps"))]
    gates = [gate for step in steps if (gate := child(child(step, "rollout"), "gate")) is not None]
    return steps + inner + gates + _children(child(root, "always"))


def _with_steps(value: Any) -> Any:
    """Leave out keys without a value in all steps below."""
    if not isinstance(value, dict):
        return value
    if "steps" in value:
        steps = _each(value["steps"], STEP_KEYS)
        value["steps"] = [_with_steps(step) for step in steps] if isinstance(steps, list) else steps
    if isinstance(value.get("rollout"), dict):
        value["rollout"] = _without_nothing(value["rollout"], ROLLOUT_KEYS)
        if "gate" in value["rollout"]:
            value["rollout"]["gate"] = _without_nothing(value["rollout"]["gate"], GATE_KEYS)
    return value


def _write_parameter(parameter: Node) -> None:
    kind = child(parameter, "type")
    is_text = (kind.value if kind else None) in _TEXT_TYPES
    _write_texts(parameter, {"description", "pattern"} | ({"default"} if is_text else set()))
    _write_texts(child(parameter, "choices"))
    if kind is not None and kind.value == "multi-enum":
        _write_texts(child(parameter, "default"))


def _write_texts(node: Node | None, keys: set[str] | frozenset[str] | None = None) -> None:
    value = node.value if node else None
    if isinstance(value, dict):
        for key in value if keys is None else keys & value.keys():
            value[key] = as_written(value[key])
    elif isinstance(value, list):
        value[:] = [as_written(item) for item in value]


def _children(node: Node | None) -> list[Node]:
    value = node.value if node else None
    return list(value.values()) if isinstance(value, dict) else value if isinstance(value, list) else []


def _each(value: Any, known: tuple[str, ...]) -> Any:
    if isinstance(value, dict):
        return {key: _without_nothing(item, known) for key, item in value.items()}
    return [_without_nothing(item, known) for item in value] if isinstance(value, list) else value


def _without_nothing(value: Any, known: tuple[str, ...]) -> Any:
    """Leave out keys without a value; those that nobody knows stay, to be refused."""
    if not isinstance(value, dict):
        return value
    return {key: item for key, item in value.items() if item is not None or key not in known}


def read_task(definition: dict[str, Any], report: Report) -> Task | None:
    """Return the task, or None with everything that is wrong with its form in ``report``."""
    try:
        return Task.model_validate(definition)
    except ValidationError as error:
        for item in error.errors(include_url=False):
            _translate(item, report)
        return None


def _translate(error: Any, report: Report) -> None:
    path: Path = tuple(error["loc"])
    code, key, context = error["type"], str(path[-1]) if path else "task", error.get("ctx", {})
    if code == "extra_forbidden":
        return
    if code == "missing":
        report.add("missing_key", path, key=key)
    elif code in ("bad_name", "bad_duration"):
        shown = {"value": context.get("value", "")}
        report.add(code, path, expected=context.get("expected", ""), **shown)
    elif code == "bad_batches":
        report.add(code, path, reason=context.get("reason", ""))
    elif code == "literal_error":
        _choice(path, error["input"], str(context.get("expected", "")), report)
    elif code == "string_too_long":
        report.add("too_long", path, key=key, limit=context.get("max_length"))
    elif expected := context.get("expected") or _EXPECTED.get(code):
        report.add("wrong_type", path, expected=expected, key=key)
    else:
        report.add("bad_value", path, key=key, reason=error["msg"])


def _choice(path: Path, value: Any, listed: str, report: Report) -> None:
    choices = listed.replace("'", "").replace(" or ", ", ").split(", ")
    if path[-1] == "type" and isinstance(value, str) and value in TYPES_LATER:
        report.add("not_supported_yet", path, key=f"{path[-1]}: {value}")
        return
    guess = nearest(value, choices) if isinstance(value, str) else None
    report.add("not_a_choice", path, expected=", ".join(choices), nearest=guess, value=str(value)[:80])
