"""An executor's parameters: from JSON values to its model, and the JSON Schema that agents announce."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from plumber_core.errors import InvalidRequest
from plumber_core.plugins.contracts.executor import Executor

if TYPE_CHECKING:
    pass

_CLOSED = "additionalProperties"


def load_params(executor: Executor[Any], values: Mapping[str, Any]) -> Any:
    """Return the values as the executor's ``Params``.

    A key that the model does not have is an error, unless the model has an ``extra`` of its own: a misspelt
    parameter must not be dropped in silence.

    Raises:
        InvalidRequest: they do not fit; names each parameter, never a value.
    """
    from pydantic import ValidationError

    extra = None if executor.Params.model_config.get("extra") else "forbid"
    try:
        return executor.Params.model_validate(dict(values), extra=extra)
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False, include_context=False)
        reason = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'with'}: {e['msg']}" for e in found)
        raise InvalidRequest(field=f"uses: {executor.kind}", reason=reason) from None


def params_schema(executor: Executor[Any]) -> dict[str, Any]:
    """Return the JSON Schema of the executor's parameters, closed as ``load_params`` is."""
    schema: dict[str, Any] = executor.Params.model_json_schema()
    if not executor.Params.model_config.get("extra"):
        for part in (schema, *_definitions(schema)):
            if part.get("type") == "object" and "properties" in part:
                part.setdefault(_CLOSED, False)
    if not schema.get("properties"):
        schema.setdefault("properties", {})
        schema.setdefault(_CLOSED, False)
    return schema


def _definitions(schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    yield from schema.get("$defs", {}).values()


def describe_executor(executor: Executor[Any]) -> dict[str, Any]:
    """Return what an agent announces of an executor: ``kind``, ``schema`` and ``summary``, one sentence."""
    return {"kind": executor.kind, "schema": params_schema(executor), "summary": executor.describe()}
