"""Parameters: what a run was given, checked against what the task declares, as typed values.

A parameter that was not given and has no default is ``None``: it becomes no environment variable, and ``null`` in an
expression. Text, as a command line gives it, is read by the declared type. An environment carries a switch as
``true`` or ``false`` and a list with one entry a line, so that ``for name in $names`` walks it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from plumber_core.errors import InvalidRequest
from plumber_core.model.names import is_text
from plumber_core.model.task import Parameter
from plumber_core.planning import expressions
from plumber_core.planning.parameter_types import READERS, Unfit
from plumber_core.planning.problems import nearest
from plumber_core.planning.templates import as_text

MAX_BYTES = 100_000
"""Linux refuses a variable of 128 KiB."""


def bind(declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> dict[str, Any]:
    """Return a typed value for every declared parameter, in the order of the task.

    Raises: InvalidRequest, whose field names the parameter.
    """
    for name in given:
        if name not in declared:
            raise _wrong(name, _unknown(name, declared))
    return {name: _bind_one(name, parameter, given.get(name)) for name, parameter in declared.items()}


def as_environment(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters as environment variables; those without a value are left out."""
    return {name: as_text(value) for name, value in parameters.items() if value is not None}


def convert(parameter: Parameter, value: Any) -> Any:
    """Return ``value`` as the parameter's type.

    Raises: Unfit.
    """
    typed = READERS[parameter.type](value)
    _check_text(typed)
    _check_range(parameter, typed)
    if parameter.type == "enum" and typed not in parameter.choices:
        guess = nearest(typed, parameter.choices)
        hint = f" (perhaps {guess})" if guess else ""
        raise Unfit(f"must be one of {', '.join(parameter.choices)}{hint}")
    if parameter.pattern is not None:
        _check_pattern(parameter.pattern, typed)
    return typed


def _bind_one(name: str, parameter: Parameter, value: Any) -> Any:
    value = parameter.default if value is None else value
    if value is None:
        if parameter.required:
            raise _wrong(name, "is required")
        return None
    try:
        return convert(parameter, value)
    except Unfit as error:
        raise _wrong(name, str(error)) from None


def _check_text(value: Any) -> None:
    text = as_text(value)
    if not is_text(text):
        raise Unfit("holds a character that no environment can carry")
    if len(text.encode()) > MAX_BYTES:
        raise Unfit(f"is longer than {MAX_BYTES} bytes")


def _check_range(parameter: Parameter, value: Any) -> None:
    sized = isinstance(value, str | list)
    size, unit = (len(value), " entries" if isinstance(value, list) else " characters") if sized else (value, "")
    if parameter.min is not None and size < parameter.min:
        raise Unfit(f"must be at least {parameter.min:g}{unit}")
    if parameter.max is not None and size > parameter.max:
        raise Unfit(f"must be at most {parameter.max:g}{unit}")


def _check_pattern(pattern: str, value: Any) -> None:
    try:
        fits = expressions.matches(pattern, value)
    except expressions.EvaluationError as error:
        raise Unfit(f"cannot be checked: {error.reason}") from None
    if not fits:
        raise Unfit(f"must match {pattern}")


def _unknown(name: str, declared: Mapping[str, Parameter]) -> str:
    guess = nearest(name, declared)
    hint = f" (perhaps {guess})" if guess else ""
    return f"is not a parameter of this task{hint}"


def _wrong(name: str, reason: str) -> InvalidRequest:
    return InvalidRequest(field=f"parameters.{name}", reason=reason.rstrip("."))
