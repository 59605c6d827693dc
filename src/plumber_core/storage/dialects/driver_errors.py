"""What a database's driver says, for people."""

from __future__ import annotations


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its type's name when it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
