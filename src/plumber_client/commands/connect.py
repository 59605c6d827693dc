"""The configured server, for one command."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from plumber_client.config import Profile, current
from plumber_core.errors import MissingExtra

if TYPE_CHECKING:
    from plumber_client import AsyncClient


@asynccontextmanager
async def server(profile: Profile | None = None) -> AsyncIterator[AsyncClient]:
    """Yield a client of the configured server, or of another one.

    Raises: NoServer, MissingExtra.
    """
    profile = profile or current()
    try:
        from plumber_client import AsyncClient
    except ImportError as error:
        raise MissingExtra(feature="plumber_client", extra="client") from error
    async with AsyncClient(profile.url, profile.token or None) as client:
        yield client
