"""What a task declares as its parameters must make sense."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from plumber_core.model.names import is_identifier, steers_programs
from plumber_core.model.task import Parameter
from plumber_core.planning import expressions
from plumber_core.planning.document import Path
from plumber_core.planning.parameter_types import CHOOSING, Unfit
from plumber_core.planning.parameters import convert
from plumber_core.planning.problems import Report


def check_parameters(declared: Any, report: Report) -> None:
    """Report names that steer programs, and declarations that no value can meet."""
    for name, value in declared.items() if isinstance(declared, dict) else ():
        path: Path = ("params", name)
        if not is_identifier(name):
            report.add("bad_parameter_name", path, at_key=True, name=name)
        elif steers_programs(name):
            report.add("reserved_parameter", path, at_key=True, name=name)
        if (parameter := _read(value)) is not None:
            _check(name, parameter, path, report)


def _read(value: Any) -> Parameter | None:
    try:
        return Parameter.model_validate(value)
    except ValidationError:
        return None


def _check(name: str, parameter: Parameter, path: Path, report: Report) -> None:
    sound = _check_pattern(name, parameter, path, report)
    sound &= _check_choices(name, parameter, path, report)
    sound &= _check_range(parameter, path, report)
    if sound and parameter.default is not None:
        try:
            convert(parameter, parameter.default)
        except Unfit as error:
            report.add("bad_default", (*path, "default"), reason=error.reason)


def _check_pattern(name: str, parameter: Parameter, path: Path, report: Report) -> bool:
    if parameter.pattern is None:
        return True
    if parameter.type not in ("string", "text"):
        report.add("pattern_without_text", (*path, "pattern"), at_key=True, name=name, type=parameter.type)
        return False
    try:
        expressions.matches(parameter.pattern, "")
    except expressions.EvaluationError as error:
        report.add("bad_pattern", (*path, "pattern"), reason=error.reason)
        return False
    return True


def _check_choices(name: str, parameter: Parameter, path: Path, report: Report) -> bool:
    if parameter.type not in CHOOSING:
        if parameter.choices:
            report.add("choices_without_enum", (*path, "choices"), at_key=True, name=name, type=parameter.type)
        return not parameter.choices
    if not parameter.choices:
        report.add("missing_choices", path)
    for index, choice in enumerate(parameter.choices):
        if choice in parameter.choices[:index]:
            report.add("duplicate_choice", (*path, "choices", index), value=choice)
    return bool(parameter.choices)


def _check_range(parameter: Parameter, path: Path, report: Report) -> bool:
    if parameter.min is None and parameter.max is None:
        return True
    if parameter.type in ("bool", "enum", "target"):
        report.add("range_without_size", path, type=parameter.type)
        return False
    if parameter.min is not None and parameter.max is not None and parameter.min > parameter.max:
        report.add("empty_range", (*path, "min"))
        return False
    return True
