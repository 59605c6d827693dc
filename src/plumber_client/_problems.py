"""A server's refusal becomes the same error that the engine raised."""

from __future__ import annotations

import json
from typing import Any

from plumber_client._http import Response
from plumber_core import errors

_BY_STATUS: dict[int, type[errors.PlumberError]] = {
    401: errors.Unauthenticated,
    403: errors.Forbidden,
    404: errors.NotFound,
    429: errors.RateLimited,
    502: errors.Unavailable,
    503: errors.Unavailable,
    504: errors.Unavailable,
}


class RefusedByServer(errors.PlumberError):
    """``server_code`` is one that this release does not know; ``detail`` is the server's own sentence."""

    code = "refused_by_server"
    message = "The server refused: {detail} ({server_code})"


def error_of(response: Response) -> errors.PlumberError:
    """Return the error in an answer that is not a success; its body must have been read."""
    problem = _problem(response)
    code = problem.get("code")
    if not isinstance(code, str):
        return _not_plumber(response)
    arguments = problem.get("arguments")
    known = errors.error_classes().get(code)
    if known is not None and isinstance(arguments, dict):
        return known(**{str(name): value for name, value in arguments.items()})
    detail = problem.get("detail") or problem.get("title") or response.status_code
    return RefusedByServer(server_code=code, detail=str(detail))


def _problem(response: Response) -> dict[str, Any]:
    try:
        value = json.loads(response.content)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _not_plumber(response: Response) -> errors.PlumberError:
    """Something between here and the server answered, or the address is not a Plumber server's."""
    status = response.status_code
    kind = _BY_STATUS.get(status)
    if kind is errors.Unavailable:
        return errors.Unavailable(reason=f"HTTP {status}")
    if kind in (errors.Unauthenticated, errors.RateLimited):
        return kind(retry_after=response.headers.get("Retry-After", "60"))
    return errors.ProtocolError(reason=f"{response.request.url} answered HTTP {status} and is no Plumber server")
