"""The HTTP side of Plumber: a thin Litestar application over ``plumber_core.app.Plumber``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from plumber_server.app import create_app

__all__ = ["create_app"]


def __getattr__(name: str) -> Any:
    """Load Litestar only when the application is asked for."""
    if name == "create_app":
        from plumber_server.app import create_app

        return create_app
    raise AttributeError(name)
