"""Plumber from afar: ``AsyncClient`` and its twin ``Client`` offer every operation of a server.

    async with AsyncClient("https://plumber.example", token) as plumber:
        execution = await plumber.tasks.run(task="deploy-shop", parameters={"version": "v2"})

Both implement ``plumber_core.control.plane.ControlPlane`` (``Client`` without ``await``) and raise the errors
of ``plumber_core.errors``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from plumber_client._async import AsyncClient
    from plumber_client._sync import Client

__all__ = ["AsyncClient", "Client"]


def __getattr__(name: str) -> object:
    if name == "AsyncClient":
        from plumber_client._async import AsyncClient

        return AsyncClient
    if name == "Client":
        from plumber_client._sync import Client

        return Client
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
