"""The application on a real socket inside the test's own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx

from plumber_core.config import Settings
from plumber_server import main

PERSON_HEADERS = {"Authorization": "Bearer plm_person"}
AGENT_HEADERS = {"Authorization": "Bearer plm_agent"}


def asgi_client(app: Any, headers: dict[str, str] | None = None) -> httpx.AsyncClient:
    """Return a client that calls the application without a socket."""
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://plumber.test", headers=headers)


@asynccontextmanager
async def serving(plumber: Any) -> AsyncIterator[SimpleNamespace]:
    """Serve as ``plumber-server`` does; yields ``url``, ``address`` and ``stop`` (as on SIGTERM)."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    stop = asyncio.Event()
    server = main._server(plumber, Settings(), listener)
    server._on_started = lambda: None
    running = asyncio.create_task(main._serve_until(stop, plumber, server, listener))
    host, port = listener.getsockname()
    try:
        while not server.started:
            await asyncio.wait({running}, timeout=0.01)
        yield SimpleNamespace(
            url=f"http://{host}:{port}", address=(host, port), stop=stop, running=running, server=server
        )
    finally:
        stop.set()
        async with asyncio.timeout(10):
            await running
