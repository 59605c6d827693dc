"""The page: built files for a server to serve, packed in the wheel."""

from __future__ import annotations

from pathlib import Path

__all__ = ["dist"]


def dist() -> Path | None:
    """Return the folder of the built page, or None where nobody has built it."""
    folder = Path(__file__).parent / "dist"
    return folder if (folder / "index.html").is_file() else None
