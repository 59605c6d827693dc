"""The only table that turns the core's error codes into HTTP statuses and JSON-RPC codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from plumber_core.errors import InvalidRequest, NotFound, PlumberError, Unauthenticated, Unavailable
from plumber_core.locales import translate
from plumber_core.protocol.peer import Disconnected, PeerError, Refused, SessionOver

PARSE_ERROR, INVALID_REQUEST, METHOD_NOT_FOUND = -32700, -32600, -32601
INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603
"""The codes that JSON-RPC 2.0 itself defines."""


class Mapped(NamedTuple):
    """What an error is outside: ``status`` of HTTP, ``rpc`` code and a short ``title``."""

    status: int
    rpc: int
    title: str


TABLE: dict[str, Mapped] = {
    "error": Mapped(500, INTERNAL_ERROR, "Internal error"),
    "invalid_request": Mapped(400, INVALID_PARAMS, "Invalid request"),
    "not_a_call": Mapped(400, INVALID_REQUEST, "Not a JSON-RPC request"),
    "not_json": Mapped(400, PARSE_ERROR, "Not JSON"),
    "too_large": Mapped(413, INVALID_PARAMS, "Too large"),
    "unauthenticated": Mapped(401, -32010, "Not authenticated"),
    "forbidden": Mapped(403, -32011, "Forbidden"),
    "not_found": Mapped(404, -32012, "Not found"),
    "unknown_method": Mapped(404, METHOD_NOT_FOUND, "Unknown method"),
    "method_not_allowed": Mapped(405, INVALID_REQUEST, "Method not allowed"),
    "conflict": Mapped(409, -32013, "Conflict"),
    "execution_timeout": Mapped(409, -32013, "Conflict"),
    "too_few_hosts": Mapped(409, -32013, "Conflict"),
    "overlap_skipped": Mapped(409, -32013, "Conflict"),
    "queue_full": Mapped(409, -32013, "Conflict"),
    "replaced": Mapped(409, -32013, "Conflict"),
    "queue_timeout": Mapped(409, -32013, "Conflict"),
    "gone": Mapped(410, -32018, "Gone"),
    "rate_limited": Mapped(429, -32014, "Too many requests"),
    "unavailable": Mapped(503, -32015, "Unavailable"),
    "session_over": Mapped(409, -32001, "Session over"),
    "protocol": Mapped(400, INVALID_REQUEST, "Protocol error"),
    "startup": Mapped(503, -32015, "Unavailable"),
}
"""By code; an error whose own code is not listed is what its nearest ancestor is. ``session_over`` and, for agents,
``unauthenticated`` travel with the codes of ``protocol/codec.py``."""


class NotJson(InvalidRequest):
    """The body is no JSON text; ``reason`` says where it breaks."""

    code = "not_json"


class NotACall(InvalidRequest):
    """JSON, but not a JSON-RPC 2.0 request; ``field`` is the member that is wrong."""

    code = "not_a_call"


class UnknownMethod(NotFound):
    """``name`` is no method; ``nearest`` is the closest one or None."""

    code = "unknown_method"
    message = "There is no method {name}."


class MethodNotAllowed(InvalidRequest):
    """The address exists, but not for this HTTP method."""

    code = "method_not_allowed"
    message = "{method} is not possible here."


class SessionEnded(PlumberError):
    """An agent's session is not current any more."""

    code = "session_over"
    message = "The session is over; say hello again."


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as it leaves the server, in one language."""

    status: int
    rpc: int
    title: str
    detail: str
    code: str
    arguments: dict[str, Any]
    hint: str

    def document(self) -> dict[str, Any]:
        """Return the members of ``application/problem+json``."""
        return {
            "type": f"urn:plumber:{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "arguments": self.arguments,
            "hint": self.hint,
        }

    def rpc_error(self) -> dict[str, Any]:
        """Return the ``error`` member of a JSON-RPC response."""
        data = {"code": self.code, "arguments": self.arguments, "hint": self.hint}
        return {"code": self.rpc, "message": self.detail, "data": data}

    def headers(self) -> dict[str, str]:
        """Return the HTTP headers that belong to the error."""
        if self.status == 401:
            return {"www-authenticate": "Bearer"}
        if self.status == 429:
            return {"retry-after": str(self.arguments.get("retry_after", 1))}
        return {"retry-after": "1"} if self.status == 503 else {}


def problem(error: BaseException, language: str = "en") -> Problem:
    """Return any exception as a problem; what is not ours says nothing about the inside."""
    known = as_plumber_error(error)
    mapped = _mapped(type(known))
    return Problem(
        *mapped._replace(title=translate(mapped.title, language)),
        detail=known.explain(language),
        code=known.code,
        arguments=known.arguments,
        hint=known.advise(language),
    )


def as_plumber_error(error: BaseException) -> PlumberError:
    """Return an error of the tree for any exception."""
    if isinstance(error, PlumberError):
        return error
    if isinstance(error, PeerError):
        return _peer_error(error)
    return PlumberError()


def _peer_error(error: PeerError) -> PlumberError:
    if isinstance(error, SessionOver):
        return SessionEnded()
    if isinstance(error, Refused):
        return Unauthenticated()
    reason = "the connection is over" if isinstance(error, Disconnected) else str(error)
    return Unavailable(reason=reason)


def _mapped(kind: type[PlumberError]) -> Mapped:
    ancestors = (ancestor for ancestor in kind.__mro__ if issubclass(ancestor, PlumberError))
    return next(TABLE[ancestor.code] for ancestor in ancestors if ancestor.code in TABLE)
