"""Who is calling. Every route declares who may; an undeclared one keeps the application from starting."""

from __future__ import annotations

from typing import Any, Literal

import structlog
from litestar import Litestar
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.types import ASGIApp, Receive, Scope, Send

from plumber_core.app import Plumber
from plumber_core.control.plane import ControlPlane
from plumber_core.errors import PlumberError, StartupError, Unauthenticated, Unavailable
from plumber_core.protocol.peer import Peer, PeerError
from plumber_core.reasons import because
from plumber_server.credentials import bearer, credential
from plumber_server.polling import Polls
from plumber_server.responses import refuse

Access = Literal["public", "person", "agent"]
_log = structlog.get_logger(__name__)


def declare(access: Access) -> dict[str, Any]:
    """Return a route handler's ``opt``."""
    return {"access": access}


def check_declared(app: Litestar) -> None:
    """Refuse an application with a route that does not say who may call it.

    Raises: StartupError.
    """
    for route in app.routes:
        handlers: list[BaseRouteHandler] = getattr(route, "route_handlers", None) or [
            route.route_handler  # type: ignore[union-attr]
        ]
        for handler in handlers:
            if not _is_automatic(handler) and handler.opt.get("access") not in ("public", "person", "agent"):
                hint = "give its handler opt={'access': 'person'}"
                raise StartupError(reason=f"route {route.path} does not declare who may call it: {hint}")


def _is_automatic(handler: BaseRouteHandler) -> bool:
    """Say whether Litestar added it: its OPTIONS handlers tell the methods of a path and nothing else."""
    return getattr(handler, "http_methods", None) == {"OPTIONS"}


class Authentication:
    """Litestar middleware: nothing behind it runs for a caller who may not."""

    def __init__(self, app: ASGIApp, plumber: Plumber, polls: Polls) -> None:
        self._app, self._plumber, self._polls = app, plumber, polls

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Identify the caller, or answer 401."""
        state: dict[str, Any] = scope.setdefault("state", {})
        try:
            await self._admit(scope, state)
        except (PlumberError, PeerError) as error:
            await refuse(scope, send, error)
            return
        except Exception as error:
            if scope["type"] != ScopeType.WEBSOCKET:
                raise
            # Without an answer of ours the handshake ends in 403, and an agent takes that for its credential's end.
            _log.error("authentication failed", exc_info=error)
            await refuse(scope, send, error)
            return
        try:
            await self._app(scope, receive, send)
        finally:
            unused: Peer | None = state.pop("peer", None)
            if unused is not None:
                await unused.close()

    async def _admit(self, scope: Scope, state: dict[str, Any]) -> None:
        access = scope["route_handler"].opt.get("access")
        if access == "person":
            state["plane"] = await person(self._plumber, scope)
        elif access == "agent":
            state["token"] = token = bearer(scope)
            require_open(self._plumber)
            if not self._polls.know(token):
                state["peer"] = await self._plumber.agent_peer(token)
        elif access != "public" and not _is_automatic(scope["route_handler"]):
            raise Unauthenticated()


async def person(plumber: Plumber, scope: Scope) -> ControlPlane:
    """Return the control plane of the person or program whose bearer token, or browser's session, this is.

    Raises: Unauthenticated, CrossSite, Unavailable.
    """
    token = credential(scope)
    require_open(plumber)
    principal = await plumber.authenticate(token)
    return plumber.acting_as(principal, token=token, address=address(scope))


def anonymous(plumber: Plumber, scope: Scope) -> ControlPlane:
    """Return the control plane for a public operation.

    Raises: Unavailable.
    """
    require_open(plumber)
    return plumber.anonymous(address=address(scope))


def require_open(plumber: Plumber) -> None:
    """Refuse calls to a control plane that nobody has opened, or that is closed.

    Raises: Unavailable.
    """
    if not plumber.is_open:
        raise Unavailable(reason=because("starting_or_stopping"))


def address(scope: Scope) -> str:
    """Return the other end of the socket: headers about it are whatever the caller likes."""
    client = scope.get("client")
    return client[0] if client else ""
