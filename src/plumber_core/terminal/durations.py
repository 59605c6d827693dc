"""Times as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

from plumber_core.terminal.language import _

_UNITS = ((86400, "d"), (3600, "h"), (60, "m"))


def duration_text(seconds: float | None) -> str:
    """Return a duration in at most two units: ``42 ms``, ``2 m 05 s``, ``3 h 20 m``; empty for ``None``."""
    if seconds is None:
        return ""
    if seconds < 1:
        return f"{max(round(seconds * 1000), 0)} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02} s"
    if whole < 86400:
        return f"{whole // 3600} h {whole % 3600 // 60:02} m"
    return f"{whole // 86400} d {whole % 86400 // 3600:02} h"


def span(started: datetime | None, ended: datetime | None) -> float | None:
    """Return the seconds between two times, or ``None`` while one is missing."""
    return (ended - started).total_seconds() if started and ended else None


def local_time(moment: datetime | None) -> str:
    """Return a time in this terminal's zone, to the second; empty for ``None``."""
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S") if moment else ""


def ago(moment: datetime | None) -> str:
    """Return how long ago a time was, in one unit, or an empty string."""
    if moment is None:
        return ""
    seconds = max(0, round((datetime.now(UTC) - moment).total_seconds()))
    size, unit = next(((s, u) for s, u in _UNITS if seconds >= s), (1, "s"))
    return _("{duration} ago", duration=f"{seconds // size} {unit}")
