"""Reading what a server answered."""

from __future__ import annotations

import functools
import typing
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from plumber_client._http import Response
from plumber_client._problems import error_of
from plumber_core.errors import ProtocolError
from plumber_core.model.views import LogSlice

Answer = TypeVar("Answer")


@functools.cache
def _adapter(kind: Any) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def read_answer(kind: type[Answer], response: Response) -> Answer:
    """Return the answer of an operation.

    Raises: the error that the server names, ProtocolError (not the shape of ``kind``).
    """
    if response.status_code >= 300:
        raise error_of(response)
    try:
        answer: Answer = _adapter(typing.cast(Any, kind)).validate_json(response.content)
    except ValidationError as error:
        raise ProtocolError(reason=f"unreadable answer from {response.request.url}") from error
    return answer


def log_query(offset: int, limit: int, line: int | None, tail: int | None) -> dict[str, str | int]:
    """Return the query that asks for a slice of a log; a place of 0 that nobody named is left out."""
    places = {"line": line, "tail": tail, "offset": offset or None}
    named = {name: value for name, value in places.items() if value is not None}
    return {**(named or {"offset": 0}), "limit": limit, "format": "frames"}


def read_slice(attempt: str, offset: int, response: Response) -> LogSlice:
    """Return a slice of a log.

    Raises: the error that the server names, ProtocolError.
    """
    if response.status_code >= 300:
        raise error_of(response)
    try:
        end = int(response.headers["Plumber-Log-End"])
        complete = response.headers["Plumber-Log-Complete"].lower() in ("true", "1")
        places = {name: int(response.headers.get(f"Plumber-Log-{name}", 0)) for name in ("line", "lines")}
        offset = int(response.headers.get("Plumber-Log-Offset", offset))
    except (KeyError, ValueError) as error:
        raise ProtocolError(reason=f"unreadable log from {response.request.url}") from error
    return LogSlice(attempt=attempt, offset=offset, data=response.content, end=end, complete=complete, **places)
