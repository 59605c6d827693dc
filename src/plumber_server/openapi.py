"""The OpenAPI 3.1 document, made from the operations."""

from __future__ import annotations

import functools
import json
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter

from plumber_core.model.limits import MAX_REQUEST_BODY
from plumber_core.version import __version__
from plumber_server.responses import PROBLEM_JSON
from plumber_server.schemas import REF_TEMPLATE, Endpoint, endpoints, json_schemas

_FAILURES = {
    400: "The request cannot be accepted; `arguments` name the field and the reason.",
    401: "A valid credential is required.",
    403: "The credential may not do this.",
    404: "What was named does not exist.",
    409: "The state has moved on.",
    410: "It was deleted: it was older than what is kept.",
    413: f"The body is larger than {MAX_REQUEST_BODY} bytes, or a value over its limit.",
    429: "Too many tries; see Retry-After.",
    503: "Nothing was changed; try again in a moment.",
}


class ProblemDetails(BaseModel):
    """An error (RFC 9457): a stable `code` with `arguments`, and sentences in the caller's language."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    arguments: dict[str, Any]
    hint: str


class BearerScheme(BaseModel):
    """How people and programs authenticate."""

    type: Literal["http"] = "http"
    scheme: Literal["bearer"] = "bearer"
    description: str = "A session token from session.login, or an API token from token.create."


@functools.lru_cache(16)
def document(root_path: str) -> bytes:
    """Return the document as JSON for an application mounted at ``root_path``."""
    _, components = json_schemas()
    problem = TypeAdapter(ProblemDetails).json_schema(ref_template=REF_TEMPLATE)
    value = {
        "openapi": "3.1.0",
        "info": {"title": "Plumber", "version": __version__, "description": _ABOUT},
        "servers": [{"url": root_path or "/"}],
        "tags": [{"name": noun} for noun in dict.fromkeys(_noun(e) for e in endpoints().values())],
        "paths": {f"/api/{name}": {"post": _operation(e)} for name, e in endpoints().items()},
        "components": {
            "schemas": {**components, "ProblemDetails": problem},
            "responses": {str(status): _failure(text) for status, text in _FAILURES.items()},
            "securitySchemes": {"bearer": BearerScheme().model_dump()},
        },
    }
    return json.dumps(value).encode()


_ABOUT = "Every operation is a POST with its parameters as a JSON object; the same operations are methods at /rpc."


def _noun(endpoint: Endpoint) -> str:
    return endpoint.operation.name.partition(".")[0]


def _operation(endpoint: Endpoint) -> dict[str, Any]:
    operation = endpoint.operation
    schemas, _ = json_schemas()
    required = any(field.is_required() for field in endpoint.model.model_fields.values())
    return {
        "operationId": operation.name,
        "tags": [_noun(endpoint)],
        "summary": operation.summary,
        "description": operation.doc,
        "security": [] if operation.public else [{"bearer": []}],
        "requestBody": {
            "required": required,
            "content": {"application/json": {"schema": schemas[operation.name, "in"]}},
        },
        "responses": {"200": _success(schemas[operation.name, "out"]), **_failures()},
    }


def _success(schema: dict[str, Any]) -> dict[str, Any]:
    return {"description": "Done.", "content": {"application/json": {"schema": schema}}}


def _failures() -> dict[str, Any]:
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in _FAILURES}


def _failure(text: str) -> dict[str, Any]:
    schema = {"$ref": REF_TEMPLATE.format(model="ProblemDetails")}
    return {"description": text, "content": {PROBLEM_JSON: {"schema": schema}}}
