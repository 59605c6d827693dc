"""Values of a step's ``with`` against the JSON Schema that its executor announced.

Schemas come from agents, so nothing is fetched for one and its patterns take linear time. Values that hold an
expression are checked where the step runs. Text is taken where a number or a switch is expected, if it reads as one:
executors take it too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from plumber_core.planning.document import Path
from plumber_core.planning.templates import has_expression
from plumber_core.reasons import Because, because

KEYS_CHECKED_ELSEWHERE = ("additionalProperties", "required")
_TYPES = {
    "string": "must_be_text",
    "integer": "must_be_integer",
    "number": "must_be_number",
    "boolean": "must_be_switch",
    "array": "must_be_list",
    "object": "not_an_object",
}
_SWITCHES = frozenset({"true", "false", "yes", "no", "on", "off", "1", "0", "t", "f", "y", "n"})


def value_problems(schema: Mapping[str, Any], values: Mapping[str, Any]) -> Iterator[tuple[Path, Because]]:
    """Yield the places of values that do not fit and what they must be; nothing for a schema that is none."""
    import jsonschema_rs

    try:
        options = jsonschema_rs.RegexOptions()
        validator = jsonschema_rs.Draft202012Validator(dict(schema), pattern_options=options, retriever=_nowhere)
        errors = list(validator.iter_errors(values))
    except (ValueError, jsonschema_rs.ReferencingError):
        return
    for error in errors:
        path, name = tuple(error.instance_path), error.kind.name
        if not path or (len(path) == 1 and name in KEYS_CHECKED_ELSEWHERE and error.schema_path[:1] == [name]):
            continue
        if not _is_settled_later(error.instance) and not _reads_as(error):
            yield path, _reason(error)


def _nowhere(uri: str) -> Any:
    raise ValueError(uri)


def _is_settled_later(value: Any) -> bool:
    if isinstance(value, str):
        return has_expression(value)
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return any(map(_is_settled_later, inner))


def _reads_as(error: Any) -> bool:
    """Say whether text stands where a number or a switch is expected, and is one."""
    if not isinstance(error.instance, str):
        return False
    if error.kind.name == "type":
        return any(_is_written(error.instance, kind) for kind in error.kind.types)
    if error.kind.name in ("anyOf", "oneOf"):
        return any(all(map(_reads_as, branch)) for branch in error.kind.context if branch)
    return False


def _is_written(text: str, kind: str) -> bool:
    if kind == "boolean":
        return text.strip().lower() in _SWITCHES
    if kind not in ("integer", "number"):
        return False
    try:
        number = float(text)
    except ValueError:
        return False
    return kind == "number" or number.is_integer()


def _reason(error: Any) -> Because:
    kind = error.kind
    if kind.name == "type" and len(kind.types) == 1 and kind.types[0] in _TYPES:
        return because(_TYPES[kind.types[0]])
    if kind.name == "enum":
        return because("must_be_one_of", choices=", ".join(map(str, kind.options)))
    limits = {
        "minimum": ("must_be_least", "least"),
        "maximum": ("must_be_most", "most"),
        "minLength": ("must_have_least_characters", "least"),
        "maxLength": ("must_have_most_characters", "most"),
        "minItems": ("must_have_least_entries", "least"),
        "maxItems": ("must_have_most_entries", "most"),
    }
    if kind.name in limits:
        code, argument = limits[kind.name]
        return because(code, **{argument: kind.limit})
    if kind.name == "pattern":
        return because("must_match", pattern=kind.pattern)
    return because("does_not_fit", detail=kind.name)
