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
from plumber_core.planning.parameter_types import CHOOSING, READERS, Unfit
from plumber_core.planning.problems import nearest
from plumber_core.planning.templates import as_text
from plumber_core.reasons import Because, because

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
    if parameter.type in CHOOSING:
        _check_choice(parameter, typed if isinstance(typed, list) else [typed])
    if parameter.pattern is not None:
        _check_pattern(parameter.pattern, typed)
    return typed


def _bind_one(name: str, parameter: Parameter, value: Any) -> Any:
    value = parameter.default if value is None else value
    if value is None:
        if parameter.required:
            raise _wrong(name, because("parameter_required"))
        return None
    try:
        return convert(parameter, value)
    except Unfit as error:
        raise _wrong(name, error.reason) from None


def _check_text(value: Any) -> None:
    text = as_text(value)
    if not is_text(text):
        raise Unfit(because("no_environment_text"))
    if len(text.encode()) > MAX_BYTES:
        raise Unfit(because("too_many_bytes", most=MAX_BYTES))


def _check_choice(parameter: Parameter, chosen: list[str]) -> None:
    for value in chosen:
        if value in parameter.choices:
            continue
        choices = ", ".join(parameter.choices)
        if guess := nearest(value, parameter.choices):
            raise Unfit(because("must_be_one_of_hint", choices=choices, guess=guess))
        raise Unfit(because("must_be_one_of", choices=choices))


def _check_range(parameter: Parameter, value: Any) -> None:
    size = len(value) if isinstance(value, str | list) else value
    if parameter.min is not None and size < parameter.min:
        raise Unfit(_too_small(value, f"{parameter.min:g}"))
    if parameter.max is not None and size > parameter.max:
        raise Unfit(_too_large(value, f"{parameter.max:g}"))


def _too_small(value: Any, least: str) -> Because:
    if isinstance(value, list):
        return because("must_have_least_entries", least=least)
    if isinstance(value, str):
        return because("must_have_least_characters", least=least)
    return because("must_be_least", least=least)


def _too_large(value: Any, most: str) -> Because:
    if isinstance(value, list):
        return because("must_have_most_entries", most=most)
    if isinstance(value, str):
        return because("must_have_most_characters", most=most)
    return because("must_be_most", most=most)


def _check_pattern(pattern: str, value: Any) -> None:
    try:
        fits = expressions.matches(pattern, value)
    except expressions.EvaluationError as error:
        raise Unfit(because("cannot_be_checked", detail=error.reason)) from None
    if not fits:
        raise Unfit(because("must_match", pattern=pattern))


def _unknown(name: str, declared: Mapping[str, Parameter]) -> Because:
    if guess := nearest(name, declared):
        return because("parameter_unknown_hint", guess=guess)
    return because("parameter_unknown")


def _wrong(name: str, reason: Because) -> InvalidRequest:
    return InvalidRequest(field=f"parameters.{name}", reason=reason)
