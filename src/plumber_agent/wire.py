"""JSON-RPC as both transports speak it: calls out, answers and deliveries in."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from plumber_core.errors import PlumberError, ProtocolError, Unavailable, error_classes
from plumber_core.protocol import codec
from plumber_core.protocol.messages import Delivery
from plumber_core.protocol.peer import Disconnected, Refused, SessionOver

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False).encode


def encode_call(number: int, method: str, message: Any) -> bytes:
    """Return a call as JSON."""
    call = {"jsonrpc": "2.0", "id": number, "method": method, "params": codec.to_json(message)}
    return _encode(call).encode()


def encode_value(value: Any) -> bytes:
    """Return JSON values as text."""
    return _encode(value).encode()


def read_object(data: bytes | str) -> dict[str, Any]:
    """Read one JSON object.

    Raises:
        Disconnected: it is none, so whatever answered is not (only) the server.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        raise Disconnected("the answer is not JSON") from None
    if not isinstance(value, dict):
        raise Disconnected("the answer is not an object")
    return value


def read_answer(method: str, answer: dict[str, Any]) -> Any:
    """Return the result of a call.

    Raises:
        PeerError, PlumberError: what the server answered instead.
    """
    if (error := answer.get("error")) is not None:
        raise_error(error)
    kind = codec.REQUESTS[method][1]
    if kind is None:
        return None
    try:
        return codec.from_json(kind, answer.get("result"))
    except ValueError as error:
        raise Disconnected(f"the answer to {method} cannot be read: {error}") from None


def read_delivery(name: str, params: Any) -> Delivery | None:
    """Return what the server pushed; None for what this release does not know.

    Raises:
        ValueError: it does not have its message's shape.
    """
    kind = codec.NOTIFICATIONS.get(name)
    if kind is None:
        return None
    delivery: Delivery = codec.from_json(kind, params)
    return delivery


def raise_error(error: Any) -> NoReturn:
    """Raise what the ``error`` member of a response means: the same errors as the engine raises in-process."""
    error = error if isinstance(error, dict) else {}
    code, sentence = error.get("code"), str(error.get("message", "the server answered with an error"))
    if code == codec.SESSION_OVER:
        raise SessionOver(sentence)
    if code == codec.REFUSED:
        raise Refused(sentence)
    data = error.get("data") if isinstance(error.get("data"), dict) else {}
    raise_problem(data, sentence)


def raise_problem(problem: Any, sentence: str) -> NoReturn:
    """Raise the error that a problem's ``code`` and ``arguments`` name."""
    kind: type[PlumberError] | None = error_classes().get(str(problem.get("code")))
    arguments = problem.get("arguments")
    if kind is None:
        raise ProtocolError(reason=sentence)
    if issubclass(kind, Unavailable):
        raise Disconnected(sentence)
    raise kind(**arguments) if isinstance(arguments, dict) else kind()
