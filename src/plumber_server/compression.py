"""Answers as gzip, for clients that take it.

Only whole answers are packed, never streams: not ``/events``, not the bytes of logs. What a stranger could learn from
the length of a packed answer is little: secrets in answers are fresh each time, and a session is never in one.
"""

from __future__ import annotations

import asyncio
import functools
import zlib

from litestar.types import Scope

from plumber_server.credentials import header

SMALLEST = 1024
"""Bytes below which packing gains nothing."""
LEVEL = 1
"""Of zlib, for answers made anew each time: higher ones take up to five times as long to save a tenth more."""
AWAY = 64 * 1024
"""Bytes from which a thread packs: others are answered meanwhile."""
VARY = {"vary": "accept-encoding"}


async def packed(scope: Scope, body: bytes) -> tuple[bytes, dict[str, str]]:
    """Return the body as this client takes it, and the headers that say how."""
    if len(body) < SMALLEST or not takes_gzip(header(scope, b"accept-encoding")):
        return body, VARY
    small = await asyncio.to_thread(gzipped, body) if len(body) >= AWAY else gzipped(body)
    return small, VARY | {"content-encoding": "gzip"}


def gzipped(body: bytes, level: int = LEVEL) -> bytes:
    """Return the body as gzip; the same bytes for the same body."""
    packer = zlib.compressobj(level, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


@functools.lru_cache(256)
def takes_gzip(accepted: str) -> bool:
    """Say whether an Accept-Encoding header takes gzip: by name, else by ``*``, and not with a quality of 0."""
    wanted = dict(_coding(part) for part in accepted[:1000].split(",") if part.strip())
    quality = max((wanted[name] for name in ("gzip", "x-gzip") if name in wanted), default=wanted.get("*", 0.0))
    return quality > 0


def _coding(part: str) -> tuple[str, float]:
    name, _, rest = part.strip().lower().partition(";")
    try:
        quality = float(rest.strip().removeprefix("q=")) if rest else 1.0
    except ValueError:
        quality = 0.0
    return name.strip(), quality
