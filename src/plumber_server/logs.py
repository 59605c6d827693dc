"""``GET /logs/{attempt}``: frames for programs, text for people, the exact bytes of a stream for downloads."""

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
from plumber_server.auth import declare
from plumber_server.frames import PIECE, stream_bytes, stream_text

FRAMES = "application/vnd.plumber.frames"
_STREAMS = {"stdout": frozenset((STDOUT,)), "stderr": frozenset((STDERR,)), None: frozenset((STDOUT, STDERR))}
_MAX_OFFSET = 2**53
Offset = Annotated[int, QueryParameter(ge=0, le=_MAX_OFFSET)]
Limit = Annotated[int, QueryParameter(ge=1, le=MAX_CHUNK)]


def routes() -> list[ControllerRouterHandler]:
    """Return the one address."""

    @get("/logs/{attempt:str}", opt=declare("person"))
    async def read_log(
        request: Request[Any, Any, Any],
        attempt: FromPath[str],
        offset: Offset = 0,
        limit: Limit = MAX_CHUNK,
        format: FromQuery[Literal["frames", "text", "raw"]] = "frames",
        stream: FromQuery[Literal["stdout", "stderr"] | None] = None,
    ) -> Response[Any]:
        plane: ControlPlane = request.scope["state"]["plane"]
        if format == "frames":
            return await _frames(plane, attempt, offset, limit)
        if offset:
            raise InvalidRequest(field="offset", reason="is only possible with format=frames")
        return await (_text if format == "text" else _raw)(plane, attempt, stream)

    return [read_log]


async def _frames(plane: ControlPlane, attempt: str, offset: int, limit: int) -> Response[bytes]:
    piece = await plane.read_log(attempt, offset, limit)
    if not piece.data and offset < piece.end:
        # The next frame alone is over the limit: a reader must still come further.
        piece = await plane.read_log(attempt, offset, MAX_FRAME + HEADER.size)
    return Response(piece.data, media_type=FRAMES, headers=_state(piece))


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


def _state(piece: LogSlice) -> dict[str, str]:
    """Say how far the log goes, and whether something will follow: it may outlast its command for a moment."""
    return {"plumber-log-end": str(piece.end), "plumber-log-complete": str(piece.complete).lower()}
