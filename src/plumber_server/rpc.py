"""``POST /rpc`` and ``/api/rpc``: every operation, the original's methods and ``rpc.discover`` over JSON-RPC 2.0."""

from __future__ import annotations

import functools
import json
from typing import Any

from litestar import asgi
from litestar.enums import ScopeType
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from plumber_core.app import Plumber
from plumber_core.control.plane import ControlPlane
from plumber_core.errors import TooLarge, Unauthenticated
from plumber_core.model.limits import MAX_REQUEST_BODY
from plumber_core.protocol.peer import Refused
from plumber_core.reasons import because
from plumber_server import auth, jsonrpc, language, openrpc
from plumber_server.auth import declare
from plumber_server.compression import packed
from plumber_server.credentials import agent_token
from plumber_server.errors import MethodNotAllowed
from plumber_server.limits import MAX_ORIGINAL_BODY, content_length, read_body
from plumber_server.original import METHODS, OriginalMethod
from plumber_server.own_address import OwnAddress
from plumber_server.responses import refuse, respond
from plumber_server.schemas import endpoints

DISCOVER = "rpc.discover"


def routes(plumber: Plumber, own: OwnAddress) -> list[ControllerRouterHandler]:
    """Return both addresses. The route is public because some methods are; each method declares its own class."""

    @asgi(["/rpc", "/api/rpc"], opt=declare("public"), copy_scope=False)
    async def json_rpc(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.HTTP or scope["method"] != "POST":
            wrong = MethodNotAllowed(method=str(scope.get("method", "")), field="method", reason="only POST")
            await refuse(scope, send, wrong)
            return
        caller = Caller(plumber, own, scope)
        body = await _body(caller, receive)
        method = functools.partial(_call, caller)
        await _reply(caller, send, await jsonrpc.answer(body, method, language=caller.language))

    return [json_rpc]


class Caller:
    """Whoever sent the request; a credential is looked at once, when a method asks for it."""

    def __init__(self, plumber: Plumber, own: OwnAddress, scope: Scope) -> None:
        self.plumber, self.scope, self._own = plumber, scope, own
        self.language = language.of_headers(scope["headers"])
        self.refused = False
        self._plane: ControlPlane | None = None

    def complete(self, answer: Any) -> Any:
        """Put this server's address where the core left it open."""
        return self._own.complete(answer, self.scope)

    async def plane(self, *, public: bool) -> ControlPlane:
        """Return the control plane for a public or a person's method.

        Raises: Unauthenticated.
        """
        if public:
            return auth.anonymous(self.plumber, self.scope)
        if self._plane is None:
            try:
                self._plane = await auth.person(self.plumber, self.scope)
            except Unauthenticated:
                self.refused = True
                raise
        return self._plane


async def _body(caller: Caller, receive: Receive) -> bytes:
    """Read the body; only a known agent may send the outputs that the original's agents send in one piece."""
    size = content_length(caller.scope)
    if size <= MAX_REQUEST_BODY:
        return await read_body(caller.scope, receive)
    try:
        peer = await caller.plumber.agent_peer(agent_token(caller.scope))
    except (Unauthenticated, Refused):
        raise TooLarge(field="body", actual=size, unit=because("unit_bytes"), limit=MAX_REQUEST_BODY) from None
    await peer.close()
    return await read_body(caller.scope, receive, MAX_ORIGINAL_BODY)


async def _reply(caller: Caller, send: Send, body: bytes | None) -> None:
    if body is None:
        await respond(send, 204, b"")
    elif caller.refused and body.startswith(b"{"):
        await respond(send, 401, body, headers={"www-authenticate": "Bearer"})
    else:
        small, headers = await packed(caller.scope, body)
        await respond(send, 200, small, headers=headers)


async def _call(caller: Caller, name: str, params: jsonrpc.Params, *, notification: bool) -> bytes:
    endpoint = endpoints().get(name)
    if endpoint is not None:
        plane = await caller.plane(public=endpoint.operation.public)
        # Nobody would hear whether it worked: a notification changes nothing.
        ignored = notification and endpoint.operation.writes
        return b"" if ignored else await endpoint.call(plane, params, caller.complete)
    if name == DISCOVER:
        return openrpc.document(caller.scope.get("root_path", ""))
    method = METHODS.get(name)
    if method is None:
        raise jsonrpc.unknown_method(name, [*endpoints(), *METHODS, DISCOVER])
    return b"" if notification and method.writes else await _original(caller, method, params)


async def _original(caller: Caller, method: OriginalMethod, params: jsonrpc.Params) -> bytes:
    if method.access == "agent":
        return json.dumps(await _as_agent(caller, method, params)).encode()
    plane = await caller.plane(public=method.access == "public")
    values = method.validate(params)
    if method.completes:
        values["complete"] = caller.complete
    answer = await method.run(plane, **values)
    return answer if isinstance(answer, bytes) else json.dumps(answer).encode()


async def _as_agent(caller: Caller, method: OriginalMethod, params: jsonrpc.Params) -> object:
    auth.require_open(caller.plumber)
    try:
        token = agent_token(caller.scope)
        return await method.run(caller.plumber.original, token, **method.validate(params))
    except (Unauthenticated, Refused):
        caller.refused = True
        raise
