"""JSON from strangers: UTF-8, bounded depth, no doubled names, only finite numbers, only storable text."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from typing import Any, NoReturn

from plumber_core.errors import InvalidRequest
from plumber_server.errors import NotJson

MAX_DEPTH = 64
_SUSPECTS = ("\\u0000", "\\ud")
"""Escapes that may stand for text which no database column can hold."""


def loads(body: bytes, *, bytes_at: re.Pattern[str] | None = None) -> Any:
    """Return the value of a JSON text.

    Args:
        body: the JSON text.
        bytes_at: the places, such as ``params.output``, of texts that stand for bytes and may hold any of them.

    Raises: NotJson, InvalidRequest (too deep, NUL or half a surrogate pair in a text).
    """
    try:
        text = body.decode()
        value = _decode(text)
    except UnicodeDecodeError as error:
        raise NotJson(field="body", reason=f"not UTF-8 at byte {error.start}") from None
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise NotJson(field="body", reason=f"not JSON at {place}: {error.msg}") from None
    except ValueError as error:
        raise NotJson(field="body", reason=str(error)) from None
    except RecursionError:
        raise _too_deep() from None
    _check(text, value, bytes_at)
    return value


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"the name {doubled[:80]!r} stands twice in one object")
    return value


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"the number {text[:40]} is too large")
    return value


# ``json.loads`` with these hooks would make a decoder for each call.
_decode = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_finite).decode


def _too_deep() -> InvalidRequest:
    return InvalidRequest(field="body", reason=f"nested more than {MAX_DEPTH} levels deep")


def _check(text: str, value: Any, bytes_at: re.Pattern[str] | None) -> None:
    """Walk the value only when the text gives a reason to."""
    deep = text.count("[") + text.count("{") > MAX_DEPTH
    lower = text.lower() if "\\" in text else ""
    suspect = any(escape in lower for escape in _SUSPECTS)
    if not deep and not suspect:
        return
    for path, depth, item in _walk(value):
        if depth >= MAX_DEPTH and isinstance(item, (dict, list)):
            raise _too_deep()
        if suspect and isinstance(item, str) and not (bytes_at and bytes_at.fullmatch(path)):
            _check_text(path, item)


def _walk(value: Any) -> Iterator[tuple[str, int, Any]]:
    """Yield (path, depth, value) of every name and value inside."""
    waiting: list[tuple[str, int, Any]] = [("", 0, value)]
    while waiting:
        path, depth, item = waiting.pop()
        yield path, depth, item
        if isinstance(item, dict):
            for name, inner in item.items():
                yield path, depth, name
                waiting.append((f"{path}.{name}" if path else name, depth + 1, inner))
        elif isinstance(item, list):
            waiting.extend((f"{path}[{index}]", depth + 1, inner) for index, inner in enumerate(item))


def _check_text(path: str, text: str) -> None:
    if "\0" in text:
        raise InvalidRequest(field=_printable(path), reason="NUL characters are not allowed")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise InvalidRequest(field=_printable(path), reason="half a surrogate pair is no character") from None


def _printable(path: str) -> str:
    return path.encode(errors="replace").decode().replace("\0", "?")[:200] or "body"
