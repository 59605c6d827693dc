"""The one id scheme: UUID version 7 in its canonical text form, made where the row is made."""

from __future__ import annotations

import secrets

TOKEN_PREFIX = "plm_"


def new_id() -> str:
    """Return a new time-ordered id, 36 characters."""
    from uuid_utils import uuid7

    return str(uuid7())


def new_secret(kind: str) -> str:
    """Return a new credential of 256 random bits, ``plm_<kind>_...``, that leak scanners can recognise."""
    return f"{TOKEN_PREFIX}{kind}_{secrets.token_urlsafe(32)}"
