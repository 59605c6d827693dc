"""What somebody probably meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def closest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is spelled most like ``name``; None when none is like it."""
    found = difflib.get_close_matches(name, list(known), 1)
    return found[0] if found else None
