"""What steps use must exist, and get the parameters that it has, with values that fit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumber_core.planning.blocks import Place, places
from plumber_core.planning.problems import Report, nearest
from plumber_core.planning.rules_values import value_problems

Kinds = Mapping[str, Mapping[str, Any]]
"""Type of step -> JSON Schema of its parameters."""


def check_executors(task: dict[str, Any], kinds: Kinds, report: Report) -> None:
    """Report types of steps that nobody knows, parameters that they do not have, and those that are missing."""
    for place in places(task):
        kind = place.step.get("uses")
        if not isinstance(kind, str) or not kind:
            continue
        if kind in kinds:
            _check_parameters(place, kind, kinds[kind], report)
        else:
            report.add("unknown_executor", (*place.path, "uses"), kind=kind, nearest=nearest(kind, kinds))


def _check_parameters(place: Place, kind: str, schema: Mapping[str, Any], report: Report) -> None:
    given = place.step.get("with", {})
    if not isinstance(given, dict):
        return
    # What an agent announces may be anything.
    known, required = schema.get("properties"), schema.get("required")
    if not isinstance(known, dict) and known is not None:
        return
    known = known or {}
    if not schema.get("additionalProperties"):
        for key in given:
            if key not in known:
                path = (*place.path, "with", key)
                report.add("unknown_with", path, at_key=True, kind=kind, key=key, nearest=nearest(str(key), known))
    for key in required if isinstance(required, list) else ():
        if key not in given:
            report.add("missing_with", (*place.path, "uses"), kind=kind, key=key)
    for path, reason in value_problems(schema, given):
        key = ".".join(str(part) for part in path)
        report.add("bad_with", (*place.path, "with", *path), kind=kind, key=key, reason=reason)
