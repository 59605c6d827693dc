"""``POST /api/<noun>.<verb>``: one handler for each operation, made from the list of operations."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.types import ControllerRouterHandler

from plumber_core.app import Plumber
from plumber_core.errors import InvalidRequest
from plumber_core.reasons import because
from plumber_server import openapi
from plumber_server.auth import anonymous, declare
from plumber_server.compression import packed
from plumber_server.limits import read_body
from plumber_server.own_address import OwnAddress
from plumber_server.responses import JSON
from plumber_server.schemas import Endpoint, endpoints
from plumber_server.strict_json import loads


def routes(plumber: Plumber, own: OwnAddress) -> list[ControllerRouterHandler]:
    """Return every operation's address and the document that describes them."""

    @get("/openapi.json", opt=declare("public"))
    async def openapi_document(request: Request[Any, Any, Any]) -> Response[bytes]:
        document, headers = await packed(request.scope, openapi.document(request.scope.get("root_path", "")))
        return Response(document, media_type=JSON, headers=headers)

    return [openapi_document, *(_handler(endpoint, plumber, own) for endpoint in endpoints().values())]


def _handler(endpoint: Endpoint, plumber: Plumber, own: OwnAddress) -> HTTPRouteHandler:
    operation = endpoint.operation

    async def call(request: Request[Any, Any, Any]) -> Response[bytes]:
        arguments = loads(await read_body(request.scope, request.receive) or b"{}")
        if not isinstance(arguments, dict):
            raise InvalidRequest(field="body", reason=because("not_an_object"))
        plane = request.scope["state"].get("plane") or anonymous(plumber, request.scope)
        answer = await endpoint.call(plane, arguments, lambda value: own.complete(value, request.scope))
        body, headers = await packed(request.scope, answer)
        return Response(body, media_type=JSON, headers=headers)

    access = declare("public" if operation.public else "person")
    return post(f"/api/{operation.name}", name=operation.name, opt=access, status_code=200)(call)
