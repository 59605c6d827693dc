"""``create_app``: the Litestar application over a ``Plumber``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from litestar import Litestar
from litestar.datastructures import ResponseHeader
from litestar.middleware import DefineMiddleware
from litestar.types import ControllerRouterHandler

from plumber_core.app import Plumber
from plumber_core.config import Settings
from plumber_server import agents, events, health, index, logs, rest, rpc
from plumber_server.auth import Authentication, check_declared
from plumber_server.limits import MAX_AGENT_MESSAGE
from plumber_server.own_address import OwnAddress
from plumber_server.polling import Polls
from plumber_server.responses import SECURITY_HEADERS, answer_error


def create_app(
    plumber: Plumber, *, settings: Settings | None = None, extra_routes: Sequence[ControllerRouterHandler] = ()
) -> Litestar:
    """Return the ASGI application of a control plane, to be served or mounted under any path.

    Args:
        plumber: Opened and closed with the application's lifespan, unless it is open already. A mounted application
            has no lifespan in most frameworks: open the plumber yourself there.
        settings: Only ``public_url`` is read here.
        extra_routes: Litestar handlers; each declares ``opt={"access": "public" | "person" | "agent"}``.

    Raises: StartupError (a route does not declare who may call it).
    """
    polls = Polls()
    app = Litestar(
        route_handlers=[*_routes(plumber, polls, settings), *extra_routes],
        middleware=[DefineMiddleware(Authentication, plumber=plumber, polls=polls)],
        exception_handlers={Exception: answer_error},
        lifespan=[lambda _: _lifespan(plumber, polls)],
        response_headers=[ResponseHeader(name=name, value=value) for name, value in SECURITY_HEADERS.items()],
        request_max_body_size=MAX_AGENT_MESSAGE,
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    check_declared(app)
    return app


def _routes(plumber: Plumber, polls: Polls, settings: Settings | None) -> list[ControllerRouterHandler]:
    own = OwnAddress(settings)
    return [
        *index.routes(own),
        *health.routes(plumber),
        *rest.routes(plumber, own),
        *rpc.routes(plumber, own),
        *events.routes(plumber),
        *logs.routes(),
        *agents.routes(plumber, polls),
    ]


@asynccontextmanager
async def _lifespan(plumber: Plumber, polls: Polls) -> AsyncIterator[None]:
    try:
        if plumber.is_open:
            yield
        else:
            async with plumber:
                yield
    finally:
        await polls.close()
