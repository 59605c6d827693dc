"""The page: ``/``, every address of the page below it, and its files, all from memory."""

from __future__ import annotations

import functools
import html
import mimetypes
from pathlib import Path
from typing import Any

from litestar import Request, Response, get, route
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler, Scope

from plumber_core.errors import NotFound
from plumber_server import index
from plumber_server.auth import declare
from plumber_server.compression import SMALLEST, VARY, gzipped, takes_gzip
from plumber_server.credentials import header
from plumber_server.own_address import OwnAddress

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
PAGE_HEADERS = {
    "content-security-policy": CSP,
    "cache-control": "no-cache",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}
FOREVER = "public, max-age=31536000, immutable"
"""For files whose names hold their content's hash."""
NOT_PAGES = ("api", "assets", "events", "health", "hooks", "install", "logs", "metrics", "ready", "rpc", "session")
"""First parts of addresses that never show the page: unknown ones below them stay 404."""


class File:
    """One built file, read when it is first asked for; packed as gzip where that is shorter."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"

    @functools.cached_property
    def _data(self) -> bytes:
        return self._path.read_bytes()

    @functools.cached_property
    def _packed(self) -> bytes | None:
        if len(self._data) < SMALLEST:
            return None
        packed = gzipped(self._data, 9)
        return packed if len(packed) < len(self._data) else None

    def answer(self, scope: Scope, headers: dict[str, str]) -> Response[bytes]:
        """Return the file as this client takes it."""
        headers = headers | VARY
        if takes_gzip(header(scope, b"accept-encoding")) and self._packed is not None:
            return Response(self._packed, media_type=self._kind, headers={**headers, "content-encoding": "gzip"})
        return Response(self._data, media_type=self._kind, headers=headers)


class Site:
    """The built page. ``exists`` is False where nobody has built it: then ``/`` tells of the CLI and the API."""

    def __init__(self, folder: Path | None) -> None:
        self.exists = folder is not None
        self._index = (folder / "index.html").read_text() if folder else ""
        self._assets = {path.name: File(path) for path in folder.glob("assets/*")} if folder else {}

    def page(self, scope: Scope) -> Response[bytes]:
        """Return the page; its ``<base>`` tells it under which path it is served."""
        base = html.escape(f"{scope.get('root_path', '')}/", quote=True)
        text = self._index.replace("<head>", f'<head><base href="{base}">', 1)
        return Response(text.encode(), media_type="text/html", headers=PAGE_HEADERS)

    def asset(self, name: str) -> File:
        """Return a file with a hash in its name.

        Raises: NotFound.
        """
        if name not in self._assets:
            raise NotFound(kind="address", name=f"/assets/{name}"[:200], nearest=None)
        return self._assets[name]

    def shows(self, scope: Scope) -> bool:
        """Say whether an address that no route knows is one of the page's own, asked for by a browser."""
        first = str(scope["path"]).removeprefix(scope.get("root_path", "")).strip("/").split("/")[0]
        asks = scope.get("method") == "GET" and "text/html" in header(scope, b"accept")
        return self.exists and asks and first.partition(".")[0] not in NOT_PAGES

    def routes(self, own: OwnAddress) -> list[ControllerRouterHandler]:
        """Return the page's addresses."""

        @route("/", http_method=["GET", "HEAD"], opt=declare("public"))
        async def root(request: Request[Any, Any, Any]) -> Response[bytes]:
            return self.page(request.scope) if self.exists else index.plain(own, request.scope)

        @get("/assets/{name:str}", opt=declare("public"))
        async def asset(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
            return self.asset(name).answer(request.scope, {"cache-control": FOREVER})

        return [root, asset]
