"""Plain answers, for Litestar handlers and for bare ASGI."""

from __future__ import annotations

import json
import logging
from typing import Any

from litestar import Request, Response
from litestar.enums import ScopeType
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException, ValidationException
from litestar.types import Scope, Send

from plumber_core.errors import InvalidRequest, NotFound, PlumberError, TooLarge
from plumber_core.model.limits import MAX_REQUEST_BODY
from plumber_core.protocol.peer import PeerError
from plumber_core.reasons import because
from plumber_server import language
from plumber_server.errors import MethodNotAllowed, problem

_log = logging.getLogger(__name__)
JSON, PROBLEM_JSON = "application/json", "application/problem+json"
SECURITY_HEADERS = {
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-store",
}
_ENCODED = [(name.encode(), value.encode()) for name, value in SECURITY_HEADERS.items()]


async def respond(
    send: Send, status: int, body: bytes, *, kind: str = JSON, headers: dict[str, str] | None = None
) -> None:
    """Send a whole answer; ``kind`` is its content type."""
    encoded = [
        (b"content-type", kind.encode()),
        (b"content-length", str(len(body)).encode()),
        *_ENCODED,
        *((name.encode(), value.encode("latin-1", "replace")) for name, value in (headers or {}).items()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": encoded})
    await send({"type": "http.response.body", "body": body, "more_body": False})


async def refuse(scope: Scope, send: Send, error: BaseException) -> None:
    """Answer a request or a WebSocket handshake with an error."""
    told = problem(error, language.of_headers(scope["headers"]))
    body = json.dumps(told.document()).encode()
    if scope["type"] == ScopeType.HTTP:
        await respond(send, told.status, body, kind=PROBLEM_JSON, headers=told.headers())
    elif "websocket.http.response" in (scope.get("extensions") or {}):
        await respond(_as_handshake(send), told.status, body, kind=PROBLEM_JSON, headers=told.headers())
    else:
        await send({"type": "websocket.close", "code": 1008, "reason": told.code})


def _as_handshake(send: Send) -> Send:
    async def translate(message: Any) -> None:
        await send({**message, "type": "websocket." + message["type"]})

    return translate


def json_response(value: Any, status: int = 200) -> Response[bytes]:
    """Return JSON values as a Litestar response."""
    return Response(json.dumps(value).encode(), media_type=JSON, status_code=status)


def answer_error(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Turn any exception of a handler into problem+json: Litestar's exception handler."""
    if not isinstance(error, (PlumberError, PeerError, HTTPException)):
        _log.error("request failed: %r", request.scope["path"][:200], exc_info=error)
    headers = dict(error.headers or {}) if isinstance(error, HTTPException) else {}
    known = _of_litestar(request, error) if isinstance(error, HTTPException) else error
    told = problem(known, language.of_headers(request.scope["headers"]))
    return Response(
        json.dumps(told.document()).encode(),
        media_type=PROBLEM_JSON,
        status_code=told.status,
        headers={**SECURITY_HEADERS, **headers, **told.headers()},
    )


def _of_litestar(request: Request[Any, Any, Any], error: HTTPException) -> PlumberError:
    if isinstance(error, NotFoundException):
        return NotFound(kind="address", name=request.scope["path"][:200], nearest=None)
    if isinstance(error, MethodNotAllowedException):
        return MethodNotAllowed(method=str(request.scope["method"]), field="method", reason="not possible here")
    if isinstance(error, ValidationException) and error.extra:
        first: Any = error.extra[0] if isinstance(error.extra, list) else error.extra
        return InvalidRequest(field=str(first.get("key", "request")), reason=str(first.get("message", "")))
    if error.status_code == 413:
        return TooLarge(field="body", actual="more", unit=because("unit_bytes"), limit=MAX_REQUEST_BODY)
    return InvalidRequest(field="request", reason=error.detail) if error.status_code < 500 else PlumberError()
