"""``GET /``: a plain page that says how to go on, where the web page is not built."""

from __future__ import annotations

import html

from litestar import Response
from litestar.types import Scope

from plumber_core.locales import translate
from plumber_core.version import __version__
from plumber_server import language
from plumber_server.own_address import OwnAddress

CSP = "default-src 'none'; style-src 'none'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
HEADERS = {
    "content-security-policy": CSP,
    "cache-control": "no-cache",
    "vary": "accept-language",
    "x-frame-options": "DENY",
}
_COMMANDS = (
    ("Log in from a terminal:", "plumber login {url}"),
    ("Save a task and run it:", "plumber task apply -f task.yaml\nplumber task run NAME --watch"),
    ("Add a server:", "plumber agent enroll"),
    (
        "Call the API:",
        'curl {url}/api/session.login -d \'{{"username": "admin", "password": "..."}}\'',
    ),
)
_LINKS = (("openapi.json", "OpenAPI document"), ("health", "Health"))


def plain(own: OwnAddress, scope: Scope) -> Response[bytes]:
    """Return the page in the caller's language."""
    wanted = language.of_headers(scope["headers"])
    return Response(page(own.of(scope), wanted), media_type="text/html", headers=HEADERS)


def page(url: str, wanted: str) -> bytes:
    """Return the page in a language for a server at ``url``."""

    def say(sentence: str) -> str:
        return html.escape(translate(sentence, wanted))

    steps = "".join(
        f"<p>{say(sentence)}</p><pre>{html.escape(command.format(url=url))}</pre>" for sentence, command in _COMMANDS
    )
    links = "".join(f'<li><a href="{address}">{say(text)}</a></li>' for address, text in _LINKS)
    return (
        f'<!doctype html><html lang="{wanted}"><head><meta charset="utf-8"><title>Plumber</title>'
        '<meta name="viewport" content="width=device-width"></head><body>'
        f"<main><h1>Plumber {__version__}</h1><p>{say(_ABOUT)}</p>{steps}<ul>{links}</ul></main></body></html>"
    ).encode()


_ABOUT = "This server runs tasks made of ordered steps on many servers."
