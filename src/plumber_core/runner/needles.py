"""In which forms a secret may turn up in output: as it is, line by line, and as programs write it."""

from __future__ import annotations

import base64
import json
import shlex
import string
from collections.abc import Iterable, Iterator

_UNRESERVED = string.ascii_letters.encode() + string.digits.encode() + b"-._~"
SHORTEST = 6
"""Bytes. What is shorter would blank innocent output."""


def needles_of(values: Iterable[str]) -> list[bytes]:
    """Return the byte strings to hide, the longest first."""
    found = {needle for value in values for needle in _forms(value) if len(needle) >= SHORTEST}
    return sorted(found, key=lambda needle: (-len(needle), needle))


def _forms(value: str) -> Iterator[bytes]:
    for text in {value, value.strip(), *(line.strip() for line in value.splitlines())}:
        data = text.encode("utf-8", "surrogatepass")
        if len(data) < SHORTEST:
            continue
        yield data
        yield from (data.hex().encode(), data.hex().upper().encode())
        yield from _base64(data)
        for written in _written(text):
            yield written.encode("utf-8", "surrogatepass")


def _written(text: str) -> Iterator[str]:
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1], shlex.quote(text))
    for kept in ("", "/", " "):
        for digits in ("%{:02X}", "%{:02x}"):
            yield _in_url(text, kept, digits)


def _in_url(text: str, kept: str, digits: str) -> str:
    """Return the text as addresses and forms write it; a space that is kept is a plus."""
    plain = _UNRESERVED + kept.encode()
    written = (chr(b) if b in plain else digits.format(b) for b in text.encode("utf-8", "surrogatepass"))
    return "".join(written).replace(" ", "+")


def _base64(data: bytes) -> Iterator[bytes]:
    """Yield what of its Base64 does not depend on what stands around it, at each of the three alignments."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            text = encode(b"\0" * before + data)
            first = -(-before * 8 // 6)
            last = (before + len(data)) * 8 // 6
            yield text[first:last]
    yield base64.b64encode(data)
    yield base64.urlsafe_b64encode(data)
