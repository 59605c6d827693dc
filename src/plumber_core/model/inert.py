"""What others say is text: never a control character that a database refuses, never longer than expected."""

from __future__ import annotations


def inert(text: object, longest: int) -> str:
    """Return ``text`` without NUL and lone surrogates, cut at ``longest`` characters."""
    return str(text)[:longest].replace("\0", "\ufffd").encode("utf-8", "replace").decode("utf-8")
