"""``GET /install.sh`` and ``GET /install/<file>``: open to everybody, as they hold no secret."""

from __future__ import annotations

import asyncio
from typing import Any, Literal

from litestar import Request, Response, route
from litestar.params import FromPath
from litestar.types import ControllerRouterHandler

from plumber_core.config import Settings
from plumber_server.auth import declare
from plumber_server.install.shelf import Shelf

_METHODS: list[Literal["GET", "HEAD"]] = ["GET", "HEAD"]
_PLAIN, _BYTES = "text/plain; charset=utf-8", "application/octet-stream"


def routes(settings: Settings | None) -> list[ControllerRouterHandler]:
    """Return both addresses."""
    shelf = Shelf(settings.wheels if settings else None)

    @route("/install.sh", http_method=_METHODS, opt=declare("public"))
    async def script(request: Request[Any, Any, Any]) -> Response[bytes]:
        return Response(shelf.script, media_type=_PLAIN)

    @route("/install/{name:str}", http_method=_METHODS, opt=declare("public"))
    async def file(request: Request[Any, Any, Any], name: FromPath[str]) -> Response[bytes]:
        data = await asyncio.to_thread(shelf.file, name)
        return Response(data, media_type=_BYTES if name.endswith(".whl") else _PLAIN)

    return [script, file]
