"""Messages as JSON-RPC 2.0: one table of methods, and values from and to JSON.

Hot on both sides, so no reflection per message: readers are built once per dataclass.
"""

from __future__ import annotations

import base64
import dataclasses
import functools
import types
import typing
from collections.abc import Callable
from typing import Any

from plumber_core.protocol import messages as m

REQUESTS: dict[str, tuple[type, type | None]] = {
    "hello": (m.Hello, m.Welcome),
    "renew": (m.Renew, m.Renewed),
    "start": (m.Start, m.Permit),
    "report": (m.Report, m.Reported),
    "never_ran": (m.NeverRan, None),
}
"""Method -> (message, answer). Log chunks go as bytes, see ``encode_chunk``."""

NOTIFICATIONS: dict[str, type] = {
    "assign": m.Assignment,
    "ask": m.Ask,
    "cancel": m.Cancel,
    "log_end": m.LogEnd,
    "settled": m.Settled,
    "goodbye": m.Goodbye,
}
METHOD_OF: dict[type, str] = {kind: name for name, kind in NOTIFICATIONS.items()} | {
    kind: name for name, (kind, _) in REQUESTS.items()
}

SESSION_OVER, REFUSED = -32001, -32002
"""JSON-RPC error codes that become ``SessionOver`` and ``Refused`` at the other end."""


def to_json(message: Any) -> Any:
    """Return a message as JSON values; bytes become base64 text, defaults are left out."""
    if isinstance(message, _PLAIN):
        return message
    if isinstance(message, bytes):
        return base64.b64encode(message).decode()
    if isinstance(message, (list, tuple)):
        return [to_json(item) for item in message]
    kind, fields = _shape(message.__class__)
    body = {name: to_json(value) for name, default in fields if (value := getattr(message, name)) != default}
    return {"kind": kind, **body} if kind in NOTIFICATIONS else body


_PLAIN = (str, int, float, dict, type(None))


@functools.cache
def _shape(kind: type) -> tuple[str | None, tuple[tuple[str, Any], ...]]:
    return METHOD_OF.get(kind), tuple((f.name, f.default) for f in dataclasses.fields(kind))


def from_json(kind: Any, value: Any) -> Any:
    """Read JSON values as ``kind``; unknown keys are ignored, so that a newer end may say more.

    Raises:
        ValueError: the value does not have the message's shape.
    """
    try:
        return _reader(kind)(value)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a {getattr(kind, '__name__', kind)}: {error}") from error


@functools.cache
def _reader(kind: Any) -> Callable[[Any], Any]:
    if dataclasses.is_dataclass(kind):
        return _dataclass_reader(typing.cast(type, kind))
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return _union_reader(arguments)
    if origin is tuple:
        item = _reader(arguments[0])
        return lambda value: tuple(item(entry) for entry in value)
    if kind is bytes:
        return lambda value: base64.b64decode(value, validate=True)
    if kind in (str, int, float, bool, dict) or origin is dict:
        return _scalar_reader(dict if origin is dict else kind)
    if origin is typing.Literal:
        return _literal_reader(arguments)
    return lambda value: value


def _scalar_reader(kind: type) -> Callable[[Any], Any]:
    accepted: tuple[type, ...] = (int, float) if kind is float else (kind,)

    def read(value: Any) -> Any:
        if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
            raise TypeError(f"expected {kind.__name__}, got {type(value).__name__}")
        return value

    return read


def _literal_reader(choices: tuple[Any, ...]) -> Callable[[Any], Any]:
    def read(value: Any) -> Any:
        if value not in choices:
            raise TypeError(f"{value!r} is none of {choices}")
        return value

    return read


def _union_reader(arguments: tuple[Any, ...]) -> Callable[[Any], Any]:
    classes = {METHOD_OF[a]: _reader(a) for a in arguments if dataclasses.is_dataclass(a) and a in METHOD_OF}
    others = [_reader(a) for a in arguments if a is not type(None)]

    def read(value: Any) -> Any:
        if value is None and type(None) in arguments:
            return None
        if isinstance(value, dict) and value.get("kind") in classes:
            return classes[value["kind"]](value)
        return others[0](value)

    return read


def _dataclass_reader(kind: type) -> Callable[[Any], Any]:
    hints = typing.get_type_hints(kind)
    readers = {f.name: _reader(hints[f.name]) for f in dataclasses.fields(kind)}

    def read(value: Any) -> Any:
        return kind(**{name: readers[name](item) for name, item in value.items() if name in readers})

    return read


def encode_chunk(chunk: m.LogChunk) -> bytes:
    """Return a log chunk as one binary message: two length-prefixed ids, the offset, the frames."""
    session, attempt = chunk.session.encode(), chunk.attempt.encode()
    head = bytes((len(session),)) + session + bytes((len(attempt),)) + attempt
    return head + chunk.offset.to_bytes(8, "big") + chunk.data


def decode_chunk(data: bytes) -> m.LogChunk:
    """Read what ``encode_chunk`` wrote.

    Raises:
        ValueError: too short, or ids that are no text.
    """
    if not data:
        raise ValueError("empty log chunk")
    split = 1 + data[0]
    session = data[1:split].decode()
    end = split + 1 + data[split] if len(data) > split else len(data) + 1
    if len(data) < end + 8:
        raise ValueError("log chunk is cut")
    attempt = data[split + 1 : end].decode()
    return m.LogChunk(session, attempt, int.from_bytes(data[end : end + 8], "big"), data[end + 8 :])
