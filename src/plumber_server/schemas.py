"""Every operation with the model of its parameters: validated once, serialised once, described once."""

from __future__ import annotations

import enum
import functools
import types
import typing
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from inspect import Parameter
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, create_model

from plumber_core.closest import closest
from plumber_core.control.operations import Operation
from plumber_core.control.plane import ControlPlane, operations
from plumber_core.errors import InvalidRequest

REF_TEMPLATE = "#/components/schemas/{model}"
"""Where the schemas of both documents point."""
_CONFIG = ConfigDict(extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One operation, ready to be called with values from outside."""

    operation: Operation
    model: type[BaseModel]
    answer: TypeAdapter[Any]

    async def call(self, plane: ControlPlane, arguments: Any, finish: Callable[[Any], Any]) -> bytes:
        """Validate, call and return the answer as JSON, after ``finish`` has completed it.

        Raises: InvalidRequest, and what the operation raises.
        """
        method: Callable[..., Awaitable[Any]]
        method = getattr(getattr(plane, self.operation.attribute), self.operation.method)
        values = self.validate(arguments)
        return self.answer.dump_json(finish(await method(**values)))

    def validate(self, arguments: Any) -> dict[str, Any]:
        """Return the keyword arguments; positions follow the operation's order.

        Raises: InvalidRequest.
        """
        if isinstance(arguments, list):
            arguments = self._by_name(arguments)
        try:
            return dict(self.model.model_validate(arguments))
        except ValidationError as error:
            raise self._invalid(error) from None

    def _by_name(self, values: list[Any]) -> dict[str, Any]:
        names = list(self.operation.parameters)
        if len(values) > len(names):
            raise InvalidRequest(field="params", reason=f"at most {len(names)} values")
        return dict(zip(names, values, strict=False))

    def _invalid(self, error: ValidationError) -> InvalidRequest:
        problems = [self._problem(detail) for detail in error.errors(include_url=False, include_input=False)[:20]]
        return InvalidRequest(**problems[0], errors=problems)

    def _problem(self, detail: Any) -> dict[str, str]:
        names = [str(part) for part in detail["loc"]]
        field = _printable(".".join(names)) or "body"
        if detail["type"] == "missing":
            return {"field": field, "reason": "is required"}
        if detail["type"] == "extra_forbidden":
            return {"field": field, "reason": self._unknown(names[-1])}
        if detail["type"] == "model_type":
            return {"field": field, "reason": "must be an object"}
        return {"field": field, "reason": detail["msg"].rstrip(".")}

    def _unknown(self, name: str) -> str:
        nearest = closest(name, self.operation.parameters)
        return "is not a parameter" + (f" (nearest: {nearest})" if nearest else "")


def _printable(text: str) -> str:
    return text.encode(errors="replace").decode()[:200]


@functools.cache
def endpoints() -> dict[str, Endpoint]:
    """Return every operation by its name."""
    return {
        name: Endpoint(operation, _model(operation), TypeAdapter(operation.returns))
        for name, operation in operations().items()
    }


def _model(operation: Operation) -> type[BaseModel]:
    fields: dict[str, Any] = {
        name: (parameter.annotation, _field(parameter)) for name, parameter in operation.parameters.items()
    }
    noun, _, verb = operation.name.partition(".")
    return create_model(f"{_camel(noun)}{_camel(verb)}In", __config__=_CONFIG, **fields)


def _field(parameter: Parameter) -> Any:
    default = ... if parameter.default is Parameter.empty else parameter.default
    kinds = _kinds(parameter.annotation)
    if any(issubclass(kind, enum.Enum) for kind in kinds):
        # JSON has no enumerations: in strict mode pydantic would refuse their texts.
        return Field(default, strict=False)
    if int in kinds:
        return Field(default, ge=-(2**31), le=2**31 - 1)
    return Field(default)


def _kinds(annotation: Any) -> list[type]:
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        return [kind for part in typing.get_args(annotation) for kind in _kinds(part)]
    return [annotation] if isinstance(annotation, type) else []


def _camel(text: str) -> str:
    return "".join(part.capitalize() for part in text.split("_"))


@functools.cache
def json_schemas() -> tuple[dict[tuple[str, str], dict[str, Any]], dict[str, Any]]:
    """Return ({(operation, "in" | "out"): schema}, components by name)."""
    inputs: list[Any] = [((name, "in"), "validation", TypeAdapter(e.model)) for name, e in endpoints().items()]
    answers: list[Any] = [((name, "out"), "serialization", e.answer) for name, e in endpoints().items()]
    schemas, definitions = TypeAdapter.json_schemas([*inputs, *answers], ref_template=REF_TEMPLATE)
    by_key = {key: schema for (key, _), schema in schemas.items()}
    return typing.cast(Any, by_key), definitions.get("$defs", {})
