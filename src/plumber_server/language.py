"""Which language a caller reads."""

from __future__ import annotations

import functools
from collections.abc import Iterable

from plumber_core.locales import LANGUAGES


def of_headers(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return ``en`` or ``zh`` as Accept-Language asks."""
    for name, value in headers:
        if name == b"accept-language":
            return negotiate(value.decode("latin-1")[:200])
    return "en"


@functools.lru_cache(256)
def negotiate(header: str) -> str:
    """Return the language of the highest quality that we have; English when none is."""
    wanted = [_entry(part) for part in header.split(",") if part.strip()]
    for language, quality in sorted(wanted, key=lambda entry: -entry[1]):
        if quality > 0 and language in LANGUAGES:
            return language
    return "en"


def _entry(part: str) -> tuple[str, float]:
    tag, _, rest = part.strip().lower().partition(";")
    try:
        quality = float(rest.strip().removeprefix("q=")) if rest else 1.0
    except ValueError:
        quality = 0.0
    return tag.partition("-")[0].strip(), quality
