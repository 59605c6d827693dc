"""``/session``: logging in and out of the page, with a cookie that no script can read."""

from __future__ import annotations

import contextlib
from typing import Any

from litestar import Request, Response, delete, post
from litestar.datastructures import Cookie
from litestar.types import ControllerRouterHandler, Scope

from plumber_core.app import Plumber
from plumber_core.errors import InvalidRequest, Unauthenticated
from plumber_core.model.limits import SESSION_LIFETIME
from plumber_core.reasons import because
from plumber_server.auth import anonymous, declare, person
from plumber_server.credentials import COOKIE, require_own_page
from plumber_server.limits import read_body
from plumber_server.own_address import OwnAddress
from plumber_server.responses import json_response
from plumber_server.schemas import endpoints
from plumber_server.strict_json import loads


def routes(plumber: Plumber, own: OwnAddress) -> list[ControllerRouterHandler]:
    """Return ``/session``: logging in and out of the page."""

    @post("/session", opt=declare("public"), status_code=200)
    async def log_in(request: Request[Any, Any, Any]) -> Response[bytes]:
        require_own_page(request.scope)
        arguments = loads(await read_body(request.scope, request.receive) or b"{}")
        if not isinstance(arguments, dict):
            raise InvalidRequest(field="body", reason=because("not_an_object"))
        values = endpoints()["session.login"].validate(arguments)
        result = await anonymous(plumber, request.scope).sessions.login(**values)
        answer = json_response({"user": result.user.model_dump(), "expires_at": result.expires_at.isoformat()})
        answer.set_cookie(_of(request.scope, own, result.token, SESSION_LIFETIME))
        return answer

    @delete("/session", opt=declare("public"), status_code=200)
    async def log_out(request: Request[Any, Any, Any]) -> Response[bytes]:
        require_own_page(request.scope)
        # A session that is over already leaves only its cookie to remove.
        with contextlib.suppress(Unauthenticated):
            await (await person(plumber, request.scope)).sessions.logout()
        answer = json_response({"ok": True})
        answer.set_cookie(_of(request.scope, own, "", 0))
        return answer

    return [log_in, log_out]


def _of(scope: Scope, own: OwnAddress, value: str, seconds: int) -> Cookie:
    secure = own.of(scope).startswith("https:")
    path = scope.get("root_path", "") or "/"
    return Cookie(key=COOKIE, value=value, path=path, max_age=seconds, httponly=True, samesite="strict", secure=secure)
