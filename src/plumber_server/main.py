"""``plumber-server``: the application, served by uvicorn on uvloop."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import ipaddress
import logging
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from typing import Any

import uvicorn
import uvloop

from plumber_core.app import Plumber
from plumber_core.config import Settings, load_settings
from plumber_core.errors import PlumberError, StartupError
from plumber_core.locales import preferred_language
from plumber_core.version import __version__
from plumber_server.app import create_app
from plumber_server.install import download
from plumber_server.limits import MAX_AGENT_MESSAGE, LimitedHttp
from plumber_server.log_setup import configure
from plumber_server.own_address import UNKNOWN
from plumber_server.plugin_routes import with_plugin_routes

DRAIN = 2.0
"""Seconds for agents to be told goodbye and for streams to end, once asked to stop."""
GRACE = 2
"""Seconds after that for answers under way: both and the closing of the database stay below 5 s."""
PING = 30.0
"""Seconds between WebSocket pings: a connection that died silently is noticed within two."""

_log = logging.getLogger(__name__)


def main() -> None:
    """Run the server until SIGTERM or SIGINT; exit code 1 and one line when it cannot start."""
    options = make_parser().parse_args()
    try:
        if options.verb == "wheels":
            download.download(options)
            return
        settings = load_settings()
        configure(debug=settings.debug)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(serve(settings))
    except PlumberError as error:
        _fail(error)
    except OSError as error:
        _fail(StartupError(reason=error.strerror or str(error)))


def _fail(error: PlumberError) -> None:
    language = preferred_language()
    sentence = " ".join(part for part in (error.explain(language), error.advise(language)) if part)
    print(f"plumber-server: {sentence}", file=sys.stderr)  # noqa: T201
    sys.exit(1)


def make_parser() -> argparse.ArgumentParser:
    """Return the command line's parser."""
    about = "Serves Plumber. Settings come from the environment: DATABASE_URL, SERVER_PORT, PLUMBER_HOST, DEBUG, "
    about += (
        "PLUMBER_ADMIN_PASSWORD, PLUMBER_PUBLIC_URL, PLUMBER_WHEELS, or from the TOML file that PLUMBER_CONFIG names."
    )
    parser = argparse.ArgumentParser("plumber-server", description=about)
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", metavar="wheels")
    about = "fetch the agent's packages for servers with another Python or machine and without a package index"
    download.add_arguments(verbs.add_parser("wheels", help=about, description=about))
    return parser


async def serve(settings: Settings) -> None:
    """Open the control plane, then listen; stop gracefully when asked to.

    Raises: StartupError.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    with _bound(settings) as listener:
        async with _plumber(settings) as plumber:
            _announce(plumber, settings, listener)
            await _serve_until(stop, plumber, _server(plumber, settings, listener), listener)


def _plumber(settings: Settings) -> Plumber:
    password = settings.admin_password.get_secret_value() if settings.admin_password else None
    return Plumber(
        settings.database_url,
        local_agent=False,
        admin_password=password,
        create_admin=True,
        public_url=settings.public_url or UNKNOWN,
        plugins=settings.plugins,
        patience=settings.patience,
        retention=settings.retention,
        notifications=settings.notifications,
    )


async def _serve_until(stop: asyncio.Event, plumber: Plumber, server: Server, listener: socket.socket) -> None:
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not serving.done():
        try:
            async with asyncio.timeout(DRAIN):
                await plumber.drain()
        except Exception as error:
            _log.warning("draining failed: %s", type(error).__name__)
        server.should_exit = True
    await serving


class Server(uvicorn.Server):
    """uvicorn with our own signals, so that agents and streams are told before connections close."""

    def __init__(self, config: uvicorn.Config, on_started: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_started = on_started

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, and say so."""
        await super().startup(sockets)
        self._on_started()


def _server(plumber: Plumber, settings: Settings, listener: socket.socket) -> Server:
    config = uvicorn.Config(
        with_plugin_routes(
            plumber.plugins.manager,
            lambda routes: create_app(plumber, settings=settings, extra_routes=routes),
        ),
        http=LimitedHttp,
        ws="websockets-sansio",
        ws_max_size=MAX_AGENT_MESSAGE,
        ws_ping_interval=PING,
        ws_ping_timeout=PING,
        ws_per_message_deflate=False,
        lifespan="on",
        log_config=None,
        access_log=settings.debug,
        # The address of a caller is that of its socket: anybody can write a header.
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=30,
        timeout_graceful_shutdown=GRACE,
    )
    return Server(config, lambda: _started(listener))


def _started(listener: socket.socket) -> None:
    _say(f"Plumber {__version__} is listening on {_url(listener)}")
    gc.freeze()
    gc.enable()


def _announce(plumber: Plumber, settings: Settings, listener: socket.socket) -> None:
    if not _is_loopback(listener.getsockname()[0]):
        _say(
            f"Warning: plain HTTP on {settings.host}: passwords and tokens can be read on the way. "
            "Put a TLS proxy in front, or listen on 127.0.0.1 only.",
            sys.stderr,
        )
    if plumber.first_password:
        _say(f"First start: the password of admin is {plumber.first_password} (shown this once).")


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _say(sentence: str, stream: Any = None) -> None:
    print(sentence, file=stream, flush=True)


def _url(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _bound(settings: Settings) -> socket.socket:
    """Take the port before anything else, so that a taken one changes no database; nobody can connect yet.

    Raises: StartupError.
    """
    listener: socket.socket | None = None
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
    except OSError as error:
        if listener is not None:
            listener.close()
        place = f"{settings.host}:{settings.port}"
        raise StartupError(reason=f"cannot listen on {place}: {error.strerror or error}") from None
    return listener


if __name__ == "__main__":
    main()
