"""Values of labels as amounts, so that they can be compared: numbers, sizes and versions."""

from __future__ import annotations

import re
from itertools import zip_longest

_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGT])(?:i?B)?", re.ASCII | re.IGNORECASE)
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)(?:[-+~_].*)?", re.ASCII | re.DOTALL)
_POWERS = {"K": 1, "M": 2, "G": 3, "T": 4}
_DIGITS = 18
"""More of them are no amount but an id."""
Amount = tuple[float, ...]


def amount(text: str) -> Amount | None:
    """Return what ``8``, ``16G`` (1024-based), ``v5.15.0-91`` and the like amount to; None for anything else.

    Parts are compared one by one, so 2.10 is more than 2.9, and what follows ``-``, ``+``, ``~`` or ``_`` is ignored.
    """
    if size := _SIZE.fullmatch(text):
        whole = float(size[1]) if len(size[1]) <= _DIGITS else float("inf")
        return (whole * 1024.0 ** _POWERS[size[2].upper()],)
    if version := _VERSION.fullmatch(text):
        parts = version[1].split(".")
        return tuple(float(part) for part in parts) if max(map(len, parts)) <= _DIGITS else None
    return None


def order(first: Amount, second: Amount) -> int:
    """Return -1, 0 or 1: what is missing at an end counts as 0."""
    for a, b in zip_longest(first, second, fillvalue=0.0):
        if a != b:
            return -1 if a < b else 1
    return 0
