"""The only module that imports httpx: how connections are made and what their failures mean."""

from __future__ import annotations

import ipaddress
import json
import os
from typing import Any
from urllib.parse import urlsplit

import httpx

from plumber_core.errors import InvalidRequest, Unreachable
from plumber_core.version import __version__

AsyncSession = httpx.AsyncClient
Session = httpx.Client
AsyncTransport = httpx.AsyncBaseTransport
Transport = httpx.BaseTransport
Response = httpx.Response
NetworkError = httpx.TransportError
"""Every way in which a connection can fail: refused, reset, timed out, not HTTP."""

STREAM_SILENCE = 60.0
"""Seconds without a byte after which an event stream is taken for dead; servers speak at least each 15 s."""
_ORIGINAL_PATHS = ("/api/rpc", "/rpc")


def base_url(url: str) -> str:
    """Return a server's address without the paths that people paste with it.

    Raises: InvalidRequest (not an http or https address).
    """
    address = url.strip().rstrip("/")
    for path in _ORIGINAL_PATHS:
        address = address.removesuffix(path)
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise InvalidRequest(field="url", reason="it must start with http:// or https://")
    return address


def session_options(url: str, token: str | None, timeout: float) -> dict[str, Any]:
    """Return what both kinds of session are made with; ``timeout`` is in seconds."""
    headers = {"User-Agent": f"plumber/{__version__}"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    return {
        "base_url": url,
        "headers": headers,
        "timeout": httpx.Timeout(timeout, connect=min(timeout, 10.0)),
        # A proxy cannot reach this machine's own loopback, and reading certificates takes longer than a call.
        "trust_env": not _is_loopback(url),
        "verify": url.startswith("https:"),
    }


def stream_timeout() -> httpx.Timeout:
    """Return the limits of an event stream: quick to connect, patient to read."""
    return httpx.Timeout(10.0, read=STREAM_SILENCE)


def encode(arguments: dict[str, Any]) -> bytes:
    """Return arguments as JSON.

    Raises: InvalidRequest (a value that JSON does not have).
    """
    try:
        return json.dumps(arguments, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InvalidRequest(field="arguments", reason=str(error)) from error


def unreachable(url: str, error: httpx.TransportError) -> Unreachable:
    """Return the error for people, with the reason that the operating system gave."""
    return Unreachable(url=url, reason=_reason(error))


def _reason(error: BaseException) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno:
            # asyncio writes its own text into connection errors; getaddrinfo has numbers of its own.
            return (os.strerror(cause.errno) if cause.errno > 0 else cause.strerror) or str(cause)
        cause = cause.__cause__ or cause.__context__
    return str(error) or type(error).__name__


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
