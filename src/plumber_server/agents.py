"""The agents' side of the server: a held WebSocket, or the same messages by long poll."""

from __future__ import annotations

from typing import Any

from litestar import Request, Response, asgi, post
from litestar.enums import ScopeType
from litestar.types import ControllerRouterHandler, Receive, Scope, Send

from plumber_core.app import Plumber
from plumber_core.errors import InvalidRequest
from plumber_core.model.limits import LONG_POLL, MAX_BATCH
from plumber_core.protocol import codec
from plumber_core.protocol.peer import Disconnected, Peer, Refused
from plumber_server import agent_wire as wire
from plumber_server.agent_socket import AgentSocket
from plumber_server.auth import declare
from plumber_server.errors import MethodNotAllowed, NotACall
from plumber_server.limits import MAX_AGENT_MESSAGE, read_body
from plumber_server.polling import PolledPeer, Polls
from plumber_server.responses import JSON, refuse


def routes(plumber: Plumber, polls: Polls) -> list[ControllerRouterHandler]:
    """Return ``/agent/v1/ws`` and the three long-poll addresses."""
    desk = _Desk(plumber, polls)

    @asgi("/agent/v1/ws", opt=declare("agent"), copy_scope=False)
    async def held_socket(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != ScopeType.WEBSOCKET:
            await refuse(scope, send, MethodNotAllowed(method="HTTP", field="upgrade", reason="needs a WebSocket"))
            return
        await AgentSocket(await desk.fresh_peer(scope), receive, send).run()

    @post("/agent/v1/rpc", opt=declare("agent"), status_code=200)
    async def polled_rpc(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _json(await desk.answer(request, await _body(request)))

    @post("/agent/v1/poll", opt=declare("agent"), status_code=200)
    async def poll(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _json(await desk.poll(request, await _body(request)))

    @post("/agent/v1/logs", opt=declare("agent"), status_code=200)
    async def polled_logs(request: Request[Any, Any, Any]) -> Response[bytes]:
        return _json(await desk.append(request, await _body(request)))

    return [held_socket, polled_rpc, poll, polled_logs]


async def _body(request: Request[Any, Any, Any]) -> bytes:
    return await read_body(request.scope, request.receive, MAX_AGENT_MESSAGE)


def _json(body: bytes) -> Response[bytes]:
    return Response(body, media_type=JSON)


class _Desk:
    """Finds the peer that a polling agent's request belongs to."""

    def __init__(self, plumber: Plumber, polls: Polls) -> None:
        self._plumber, self._polls = plumber, polls

    async def fresh_peer(self, scope: Scope) -> Peer:
        """Return a new connection of the agent that the middleware admitted."""
        state: Any = scope["state"]
        return state.pop("peer", None) or await self._plumber.agent_peer(state["token"])

    def held(self, request: Request[Any, Any, Any], session: str) -> PolledPeer:
        """Return the peer of a session.

        Raises: SessionOver.
        """
        return self._polls.find(request.scope["state"]["token"], session)

    async def answer(self, request: Request[Any, Any, Any], body: bytes) -> bytes:
        """Answer one call or a batch, in order."""
        try:
            value = wire.decode(body)
        except wire.Malformed as error:
            return wire.failure(None, error)
        if not isinstance(value, list):
            return await self._one(request, value)
        if not 0 < len(value) <= MAX_BATCH:
            raise NotACall(field="batch", reason=f"holds {len(value)} calls, 1 to {MAX_BATCH} are possible")
        return b"[" + b",".join([await self._one(request, item) for item in value]) + b"]"

    async def _one(self, request: Request[Any, Any, Any], value: Any) -> bytes:
        id = value.get("id") if isinstance(value, dict) else None
        try:
            call = wire.read(value)
            result = await (self._hello(request, call) if call.method == "hello" else self._call(request, call))
        except Exception as error:
            self._judge(request, error)
            return wire.failure(id, error)
        return wire.success(id, result)

    def _judge(self, request: Request[Any, Any, Any], error: Exception) -> None:
        if isinstance(error, (Refused, Disconnected)):
            self._polls.forget(request.scope["state"]["token"])

    async def _hello(self, request: Request[Any, Any, Any], call: wire.Request) -> Any:
        peer = await self.fresh_peer(request.scope)
        answer = await wire.call(peer, call)
        session = answer.get("session", "")
        if session:
            self._polls.keep(request.scope["state"]["token"], session, peer)
        else:
            await peer.close()
        return answer

    async def _call(self, request: Request[Any, Any, Any], call: wire.Request) -> Any:
        return await wire.call(self.held(request, call.message.session).peer, call)

    async def poll(self, request: Request[Any, Any, Any], body: bytes) -> bytes:
        """Wait for deliveries."""
        session, wait = _poll_arguments(body)
        held = self.held(request, session)
        held.users += 1
        try:
            taken = await held.poll(wait, request.receive)
        finally:
            held.users -= 1
        return wire.encode({"deliveries": [codec.to_json(delivery) for delivery in taken]})

    async def append(self, request: Request[Any, Any, Any], body: bytes) -> bytes:
        """Store a log chunk."""
        try:
            chunk = codec.decode_chunk(body)
        except ValueError as error:
            raise InvalidRequest(field="body", reason=str(error)) from None
        try:
            end = await self.held(request, chunk.session).peer.append(chunk)
        except Exception as error:
            self._judge(request, error)
            raise
        return wire.encode({"attempt": end.attempt, "end": end.end})


def _poll_arguments(body: bytes) -> tuple[str, float]:
    try:
        value = wire.decode(body)
    except wire.Malformed as error:
        raise InvalidRequest(field="body", reason=error.reason) from None
    session = value.get("session") if isinstance(value, dict) else None
    wait = value.get("wait", LONG_POLL) if isinstance(value, dict) else None
    if not isinstance(session, str):
        raise InvalidRequest(field="session", reason="must be a text")
    if isinstance(wait, bool) or not isinstance(wait, (int, float)):
        raise InvalidRequest(field="wait", reason="must be a number of seconds")
    return session, min(max(float(wait), 0.0), LONG_POLL)
