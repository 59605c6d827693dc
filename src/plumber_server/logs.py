"""``GET /logs/{attempt}``: frames for programs, text for people, the exact bytes of a stream for downloads, search."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from litestar import Request, Response, get
from litestar.params import FromPath, FromQuery, QueryParameter
from litestar.response import Stream
from litestar.types import ControllerRouterHandler

from plumber_core.control.plane import ControlPlane
from plumber_core.errors import InvalidRequest
from plumber_core.model.views import LogSlice
from plumber_core.protocol.frames import HEADER, MAX_CHUNK, MAX_FRAME, STDERR, STDOUT
from plumber_core.reasons import because
from plumber_server.auth import declare
from plumber_server.credentials import credential
from plumber_server.frames import PIECE, stream_bytes, stream_text
from plumber_server.log_search import MAX_HITS, Query, Searches, search
from plumber_server.polling import hung_up

FRAMES = "application/vnd.plumber.frames"
_STREAMS = {"stdout": frozenset((STDOUT,)), "stderr": frozenset((STDERR,)), None: frozenset((STDOUT, STDERR))}
_MAX_OFFSET = 2**53
Offset = Annotated[int, QueryParameter(ge=0, le=_MAX_OFFSET)]
Place = Annotated[int | None, QueryParameter(ge=0, le=_MAX_OFFSET)]
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_CHUNK)]
Hits = Annotated[int, QueryParameter(ge=0, le=MAX_HITS)]


def routes() -> list[ControllerRouterHandler]:
    """Return the two addresses."""
    searches = Searches()

    @get("/logs/{attempt:str}", opt=declare("person"))
    async def read_log(
        request: Request[Any, Any, Any],
        attempt: FromPath[str],
        offset: Offset = 0,
        line: Place = None,
        tail: Place = None,
        limit: Limit = MAX_CHUNK,
        format: FromQuery[Literal["frames", "text", "raw"]] = "frames",
        stream: FromQuery[Literal["stdout", "stderr"] | None] = None,
    ) -> Response[Any]:
        plane: ControlPlane = request.scope["state"]["plane"]
        if format == "frames":
            return await _frames(plane, attempt, {"offset": offset, "line": line, "tail": tail}, limit)
        for field, value in (("offset", offset or None), ("line", line), ("tail", tail)):
            if value is not None:
                raise InvalidRequest(field=field, reason=because("frames_only"))
        return await (_text if format == "text" else _raw)(plane, attempt, stream)

    @get("/logs/{attempt:str}/search", opt=declare("person"))
    async def search_log(
        request: Request[Any, Any, Any],
        attempt: FromPath[str],
        q: FromQuery[str] = "",
        regex: FromQuery[bool] = False,
        case: FromQuery[bool] = False,
        limit: Hits = 1000,
    ) -> Response[Any]:
        plane: ControlPlane = request.scope["state"]["plane"]
        work = search(plane, attempt, Query(q, regex, case, limit))
        return Response(await searches.carry_out(credential(request.scope), work, hung_up(request.receive)))

    return [read_log, search_log]


async def _frames(plane: ControlPlane, attempt: str, place: dict[str, Any], limit: int) -> Response[bytes]:
    piece = await plane.read_log(attempt, limit=limit, **place)
    if not piece.data and piece.offset < piece.end:
        # The next frame alone is over the limit: a reader must still come further.
        piece = await plane.read_log(attempt, limit=MAX_FRAME + HEADER.size, **place)
    return Response(piece.data, media_type=FRAMES, headers=_place(piece) | _state(piece))


async def _text(plane: ControlPlane, attempt: str, stream: str | None) -> Stream:
    first = await plane.read_log(attempt, 0, PIECE)
    chunks = stream_bytes(plane, attempt, _STREAMS[stream], first)
    return Stream(stream_text(chunks), media_type="text/plain", headers=_state(first))


async def _raw(plane: ControlPlane, attempt: str, stream: str | None) -> Stream:
    # The first piece is read before the answer begins, so that what is wrong can still be said.
    first = await plane.read_log(attempt, 0, PIECE)
    chunks = stream_bytes(plane, attempt, _STREAMS[stream or "stdout"], first)
    headers = {"content-disposition": f'attachment; filename="{stream or "stdout"}.log"', **_state(first)}
    return Stream(chunks, media_type="application/octet-stream", headers=headers)


def _place(piece: LogSlice) -> dict[str, str]:
    """Say where the piece begins: its first byte, and the newlines before it."""
    return {"plumber-log-offset": str(piece.offset), "plumber-log-line": str(piece.line)}


def _state(piece: LogSlice) -> dict[str, str]:
    """Say how far the log goes, and whether something will follow: it may outlast its command for a moment."""
    return {
        "plumber-log-end": str(piece.end),
        "plumber-log-lines": str(piece.lines),
        "plumber-log-complete": str(piece.complete).lower(),
    }
