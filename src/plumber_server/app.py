"""``create_app``: the Litestar application over a ``Plumber``."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from litestar import Litestar, Request, Response
from litestar.datastructures import ResponseHeader, State
from litestar.exceptions import NotFoundException
from litestar.middleware import DefineMiddleware
from litestar.types import ControllerRouterHandler

import plumber_web
from plumber_core.app import Plumber
from plumber_core.config import Settings
from plumber_server import agents, browser_session, events, health, logs, rest, rpc
from plumber_server.auth import Authentication, check_declared
from plumber_server.credentials import PUBLIC_URL
from plumber_server.install import routes as install
from plumber_server.limits import MAX_AGENT_MESSAGE
from plumber_server.own_address import OwnAddress
from plumber_server.page import Site
from plumber_server.polling import Polls
from plumber_server.responses import SECURITY_HEADERS, answer_error


def create_app(
    plumber: Plumber, *, settings: Settings | None = None, extra_routes: Sequence[ControllerRouterHandler] = ()
) -> Litestar:
    """Return the ASGI application of a control plane, to be served or mounted under any path.

    Args:
        plumber: Opened and closed with the application's lifespan, unless it is open already. A mounted application
            has no lifespan in most frameworks: open the plumber yourself there.
        settings: Only ``public_url`` and ``wheels`` are read here.
        extra_routes: Litestar handlers; each declares ``opt={"access": "public" | "person" | "agent"}``.

    Raises: StartupError (a route does not declare who may call it).
    """
    polls = Polls()
    site = Site(plumber_web.dist())
    app = Litestar(
        route_handlers=[*_routes(plumber, polls, settings, site), *extra_routes],
        middleware=[DefineMiddleware(Authentication, plumber=plumber, polls=polls)],
        exception_handlers={Exception: functools.partial(_answer_error, site)},
        lifespan=[lambda _: _lifespan(plumber, polls)],
        response_headers=[ResponseHeader(name=name, value=value) for name, value in SECURITY_HEADERS.items()],
        request_max_body_size=MAX_AGENT_MESSAGE,
        state=State({PUBLIC_URL: settings.public_url if settings else None}),
        openapi_config=None,
        logging_config=None,
        debug=False,
    )
    check_declared(app)
    return app


def _routes(plumber: Plumber, polls: Polls, settings: Settings | None, site: Site) -> list[ControllerRouterHandler]:
    own = OwnAddress(settings)
    return [
        *site.routes(own),
        *browser_session.routes(plumber, own),
        *install.routes(settings),
        *health.routes(plumber),
        *rest.routes(plumber, own),
        *rpc.routes(plumber, own),
        *events.routes(plumber),
        *logs.routes(),
        *agents.routes(plumber, polls),
    ]


def _answer_error(site: Site, request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Show the page at addresses of its own, which only its router knows."""
    if isinstance(error, NotFoundException) and site.shows(request.scope):
        return site.page(request.scope)
    return answer_error(request, error)


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
