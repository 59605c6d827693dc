"""What agents send and are sent as text, the same over a WebSocket and by long poll."""

from __future__ import annotations

import logging
from typing import Any, NamedTuple

import msgspec

from plumber_core.errors import PlumberError
from plumber_core.protocol import codec
from plumber_core.protocol.messages import Delivery, Reported
from plumber_core.protocol.peer import Peer, PeerError, Refused, SessionOver
from plumber_server.errors import INVALID_PARAMS, INVALID_REQUEST, METHOD_NOT_FOUND, PARSE_ERROR, problem

_log = logging.getLogger(__name__)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode
_NUL = "\0"


class Request(NamedTuple):
    """One call of an agent; ``message`` is the dataclass that ``method`` takes."""

    id: Any
    method: str
    message: Any


class Malformed(Exception):
    """What came is no call: ``id`` to answer to, a JSON-RPC code and a reason."""

    def __init__(self, id: Any, code: int, reason: str) -> None:
        super().__init__(reason)
        self.id, self.code, self.reason = id, code, reason


def decode(text: str | bytes) -> Any:
    """Return the JSON value of a message.

    Raises: Malformed.
    """
    try:
        value = _decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise Malformed(None, PARSE_ERROR, str(error)) from None
    escaped = "\\u" in text if isinstance(text, str) else b"\\u" in text
    return _storable(value) if escaped else value


def _storable(value: Any) -> Any:
    """Replace NUL: what a command printed or a host is called must not keep its outcome from being stored."""
    if isinstance(value, str):
        return value.replace(_NUL, "\ufffd")
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    return value


def read(value: Any) -> Request:
    """Return a call.

    Raises: Malformed.
    """
    if not isinstance(value, dict):
        raise Malformed(None, INVALID_REQUEST, "a call is an object")
    id, method = value.get("id"), value.get("method")
    if not isinstance(method, str) or method not in codec.REQUESTS:
        raise Malformed(id, METHOD_NOT_FOUND, f"no such method: {str(method)[:40]}")
    try:
        return Request(id, method, codec.from_json(codec.REQUESTS[method][0], value.get("params")))
    except (ValueError, RecursionError) as error:
        raise Malformed(id, INVALID_PARAMS, str(error)[:500]) from None


async def call(peer: Peer, request: Request) -> Any:
    """Carry out a call and return the answer as something that ``success`` can encode.

    Raises: what the peer raises.
    """
    answer = await getattr(peer, request.method)(request.message)
    # The hottest answer holds nothing whose kind must be told, so it is encoded in C as it is.
    return answer if type(answer) is Reported else codec.to_json(answer)


def success(id: Any, result: Any) -> bytes:
    """Return a response as JSON."""
    return _encode({"jsonrpc": "2.0", "id": id, "result": result})


def failure(id: Any, error: Exception) -> bytes:
    """Return an error response as JSON."""
    return _encode({"jsonrpc": "2.0", "id": id, "error": error_of(error)})


def error_of(error: Exception) -> dict[str, Any]:
    """Return the ``error`` member for anything that a call raised."""
    if isinstance(error, Malformed):
        return {"code": error.code, "message": error.reason}
    if not isinstance(error, (PlumberError, PeerError)):
        _log.error("agent call failed", exc_info=error)
    told = problem(error).rpc_error()
    if isinstance(error, SessionOver):
        return {**told, "code": codec.SESSION_OVER}
    return {**told, "code": codec.REFUSED} if isinstance(error, Refused) else told


def notification(delivery: Delivery) -> bytes:
    """Return what the server pushes, as JSON."""
    # The method tells the kind: nothing inside is a union, so it is encoded in C as it is.
    return _encode({"jsonrpc": "2.0", "method": codec.METHOD_OF[type(delivery)], "params": delivery})


def encode(value: Any) -> bytes:
    """Return JSON values as text."""
    return _encode(value)
