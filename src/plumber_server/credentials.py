"""Credentials as they come in: a bearer token, an original agent's header, or a browser's session.

A bearer token is sent by whoever has it, a cookie by every browser that is asked to, whoever asks. So a cookie counts
only for reading, or together with a header that other sites cannot set without a permission that is never given.
"""

from __future__ import annotations

from http.cookies import CookieError, SimpleCookie
from urllib.parse import urlsplit

from litestar.types import Scope

from plumber_core.errors import Forbidden, Unauthenticated

COOKIE = "plumber_session"
REQUEST_HEADER = b"x-plumber-request"
_MAX_TOKEN = 512
_SAFE = ("GET", "HEAD", "OPTIONS")


class CrossSite(Forbidden):
    """A browser's session was used by something else than the page."""

    code = "cross_site"
    message = "A browser's session works for Plumber's own page only."


def credential(scope: Scope) -> str:
    """Return the caller's token: from the Authorization header, else from a cookie that may count.

    Raises: Unauthenticated, CrossSite.
    """
    if header(scope, b"authorization"):
        return bearer(scope)
    token = _cookie(scope)
    if not token or len(token) > _MAX_TOKEN:
        raise Unauthenticated()
    if scope.get("method") not in _SAFE:
        require_own_page(scope)
    return token


def require_own_page(scope: Scope) -> None:
    """Refuse what a page of another site could have sent.

    Raises: CrossSite.
    """
    origin, site = header(scope, b"origin"), header(scope, b"sec-fetch-site")
    foreign = bool(origin) and urlsplit(origin).netloc != header(scope, b"host")
    if not header(scope, REQUEST_HEADER) or foreign or site not in ("", "same-origin"):
        raise CrossSite(action="cross-site")


def _cookie(scope: Scope) -> str:
    try:
        found = SimpleCookie(header(scope, b"cookie")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def bearer(scope: Scope) -> str:
    """Return the bearer token of a request.

    Raises: Unauthenticated.
    """
    scheme, _, token = header(scope, b"authorization").partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > _MAX_TOKEN:
        raise Unauthenticated()
    return token


def agent_token(scope: Scope) -> str:
    """Return the credential that the original's agents send.

    Raises: Unauthenticated.
    """
    token = header(scope, b"x-agent-token").strip()
    if not token or len(token) > _MAX_TOKEN:
        raise Unauthenticated()
    return token


def header(scope: Scope, name: bytes) -> str:
    """Return a header's value, empty when it is missing."""
    return next((value.decode("latin-1") for key, value in scope["headers"] if key == name), "")
