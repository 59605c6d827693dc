"""JSON-RPC 2.0, without a transport: bytes in, bytes out (https://www.jsonrpc.org/specification)."""

from __future__ import annotations

import json
import logging
import re
from typing import Any, NamedTuple, Protocol

from plumber_core.closest import closest
from plumber_core.errors import InvalidRequest, PlumberError, TooLarge
from plumber_core.model.limits import MAX_BATCH
from plumber_core.protocol.peer import PeerError
from plumber_core.reasons import because
from plumber_server.errors import INVALID_REQUEST, NotACall, UnknownMethod, problem
from plumber_server.strict_json import loads

_log = logging.getLogger(__name__)
Params = dict[str, Any] | list[Any]
OUTPUT = re.compile(r"(\[\d+\]\.)?params\.output")
"""What a command printed, as the original's agents report it: whatever bytes there are, NUL too."""


class Method(Protocol):
    """Carries out calls."""

    async def __call__(self, name: str, params: Params, *, notification: bool) -> bytes:
        """Return the result as JSON; a notification's result goes nowhere.

        Raises: UnknownMethod, and whatever the call raises.
        """
        ...


class Call(NamedTuple):
    """One request object. ``id`` is JSON text, or None for a notification."""

    id: bytes | None
    name: str
    params: Params


async def answer(body: bytes, method: Method, *, language: str = "en") -> bytes | None:
    """Carry out one call or a batch, in order; None means that there is nothing to answer."""
    try:
        value = loads(body, bytes_at=OUTPUT)
    except InvalidRequest as error:
        return _failure(b"null", error, language)
    if not isinstance(value, list):
        return await _one(value, method, language)
    refusal = _refuse_batch(value)
    if refusal is not None:
        return _failure(b"null", refusal, language, INVALID_REQUEST)
    answers = [await _one(item, method, language) for item in value]
    told = [item for item in answers if item is not None]
    return b"[" + b",".join(told) + b"]" if told else None


def _refuse_batch(batch: list[Any]) -> InvalidRequest | None:
    if not batch:
        return NotACall(field="batch", reason="holds no call")
    if len(batch) > MAX_BATCH:
        return TooLarge(field="batch", actual=len(batch), unit=because("unit_calls"), limit=MAX_BATCH)
    return None


async def _one(value: Any, method: Method, language: str) -> bytes | None:
    try:
        call = read(value)
    except NotACall as error:
        return _failure(_id_of(value), error, language)
    try:
        result = await method(call.name, call.params, notification=call.id is None)
    except (PlumberError, PeerError) as error:
        return None if call.id is None else _failure(call.id, error, language)
    except Exception as error:
        _log.exception("call failed: %r", call.name[:80])
        return None if call.id is None else _failure(call.id, error, language)
    return None if call.id is None else success(call.id, result)


def read(value: Any) -> Call:
    """Return a request object's parts.

    Raises: NotACall.
    """
    if not isinstance(value, dict):
        raise NotACall(field="request", reason="must be an object")
    if value.get("jsonrpc") != "2.0":
        raise NotACall(field="jsonrpc", reason='must be "2.0"')
    name, params = value.get("method"), value.get("params")
    if not isinstance(name, str):
        raise NotACall(field="method", reason="must be a text")
    if params is not None and not isinstance(params, (dict, list)):
        raise NotACall(field="params", reason="must be an object or an array")
    if "id" in value and not _is_id(value["id"]):
        raise NotACall(field="id", reason="must be a text, a number or null")
    # Many clients send null for "no parameters".
    return Call(_id_of(value) if "id" in value else None, name, {} if params is None else params)


def _is_id(value: Any) -> bool:
    return value is None or (isinstance(value, (str, int, float)) and not isinstance(value, bool))


def _id_of(value: Any) -> bytes:
    found = value.get("id") if isinstance(value, dict) else None
    return json.dumps(found).encode() if _is_id(found) else b"null"


def success(id: bytes, result: bytes) -> bytes:
    """Return a response object; both arguments are JSON texts."""
    return b'{"jsonrpc":"2.0","id":' + id + b',"result":' + result + b"}"


def failure(id: bytes, error: dict[str, Any]) -> bytes:
    """Return an error response object; ``id`` is a JSON text."""
    return b'{"jsonrpc":"2.0","id":' + id + b',"error":' + json.dumps(error).encode() + b"}"


def _failure(id: bytes, error: BaseException, language: str, code: int | None = None) -> bytes:
    told = problem(error, language).rpc_error()
    return failure(id, told if code is None else {**told, "code": code})


def unknown_method(name: str, known: list[str]) -> UnknownMethod:
    """Return the error for a method that does not exist, with the closest one that does."""
    shown = name.encode(errors="replace").decode()[:80]
    return UnknownMethod(kind="method", name=shown, nearest=closest(shown, known))
