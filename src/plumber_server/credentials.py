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
PUBLIC_URL = "public_url"
"""The application's state under this name: the configured address, or None."""
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
    foreign = bool(origin) and not _is_own(origin, scope)
    if not header(scope, REQUEST_HEADER) or foreign or site not in ("", "same-origin"):
        raise CrossSite(action="cross-site")


def _is_own(origin: str, scope: Scope) -> bool:
    """Say whether an origin is the host that was asked, or the configured address: a proxy may change the Host.

    The scheme of the first is not compared: behind a proxy with TLS it is another one here.
    """
    host = header(scope, b"host")
    configured = scope["litestar_app"].state.get(PUBLIC_URL)
    if configured and origin_of(origin) == origin_of(configured):
        return True
    return bool(host) and urlsplit(origin).netloc == host


def origin_of(url: str) -> tuple[str, str, int | None]:
    """Return scheme, host and port of an address, with the port that its scheme implies."""
    parts = urlsplit(url)
    try:
        port = parts.port
    except ValueError:
        return (parts.scheme, "", None)
    return (parts.scheme, parts.hostname or "", port or {"http": 80, "https": 443}.get(parts.scheme))


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
