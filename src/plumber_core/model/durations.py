"""Durations as people write them: ``30``, ``30s``, ``10m``, ``1h30m``, ``2d``, ``500ms``."""

from __future__ import annotations

import math
import re

MAX_DURATION = 366 * 86400.0
EXPECTED = "a duration such as 30s, 10m or 1h30m"
PATTERN = "^([0-9.]+|(?=.)([0-9.]+d)?([0-9.]+h)?([0-9.]+m)?([0-9.]+s)?([0-9.]+ms)?)$"
"""For editors, in any dialect of regular expressions; a little wider than what is read."""
_NUMBER = r"(\d{1,12}(?:\.\d{1,9})?)"
_UNITS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
_WRITTEN = re.compile("".join(f"(?:{_NUMBER}{unit})?" for unit in _UNITS), re.ASCII)
_BARE = re.compile(_NUMBER, re.ASCII)


def parse_duration(value: object) -> float:
    """Return seconds.

    Raises: ValueError when ``value`` is no duration, is negative or is longer than 366 days.
    """
    seconds = _seconds(value)
    if not math.isfinite(seconds) or not 0 <= seconds <= MAX_DURATION:
        raise ValueError(value)
    return seconds


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError(value)
    if not isinstance(value, str):
        return float(min(value, 10**12))
    if _BARE.fullmatch(value):
        return float(value)
    if not value or not (match := _WRITTEN.fullmatch(value)):
        raise ValueError(value)
    amounts = zip(match.groups(), _UNITS.values(), strict=True)
    return round(math.fsum(float(amount) * unit for amount, unit in amounts if amount), 9)
