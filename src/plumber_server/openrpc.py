"""The answer to ``rpc.discover``: the operations as an OpenRPC document (https://spec.open-rpc.org)."""

from __future__ import annotations

import functools
import json
from typing import Any

from plumber_core.version import __version__
from plumber_server.schemas import Endpoint, endpoints, json_schemas


@functools.lru_cache(16)
def document(root_path: str) -> bytes:
    """Return the document as JSON."""
    _, components = json_schemas()
    value = {
        "openrpc": "1.3.2",
        "info": {"title": "Plumber", "version": __version__},
        "servers": [{"name": "this server", "url": f"{root_path}/rpc"}],
        "methods": [_method(endpoint) for endpoint in endpoints().values()],
        "components": {"schemas": components},
    }
    return json.dumps(value).encode()


def _method(endpoint: Endpoint) -> dict[str, Any]:
    operation = endpoint.operation
    schemas, components = json_schemas()
    parameters = components[schemas[operation.name, "in"]["$ref"].rpartition("/")[2]]
    required = parameters.get("required", [])
    return {
        "name": operation.name,
        "summary": operation.summary,
        "description": operation.doc,
        "paramStructure": "either",
        "params": [
            {"name": name, "required": name in required, "schema": schema}
            for name, schema in parameters.get("properties", {}).items()
        ],
        "result": {"name": "result", "schema": schemas[operation.name, "out"]},
    }
