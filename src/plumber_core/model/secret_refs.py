"""References to secrets: names of them, never values."""

from __future__ import annotations

import re
from typing import Any, TypeGuard

SCHEME = r"[a-z][a-z0-9_.-]{0,63}"
_REFERENCE = re.compile(rf"{SCHEME}:[^\s#][^#\x00-\x1f]{{0,499}}(#[^\x00-\x1f]{{1,200}})?")
STARS = "***"
"""What is shown instead of a secret."""


def is_secret_ref(text: Any) -> TypeGuard[str]:
    """Say whether ``text`` is ``SCHEME:NAME`` or ``SCHEME:NAME#KEY``."""
    return isinstance(text, str) and _REFERENCE.fullmatch(text) is not None
