"""The one id scheme: UUID version 7 in its canonical text form, made where the row is made.

What is keyed by others has its key as its id: a step execution is ``<execution>-<step>-<lane>-<round>`` (indexes
into the frozen plan), an attempt ``<step execution>-<number>-<nonce>``. The nonce keeps an attempt's id unique even
when a restored database hands out the same number again.
"""

from __future__ import annotations

import hashlib
import secrets

TOKEN_PREFIX = "plm_"  # noqa: S105 - a prefix, not a secret


def new_id() -> str:
    """Return a new time-ordered id, 36 characters."""
    from uuid_utils import uuid7

    return str(uuid7())


def new_nonce() -> str:
    """Return eight random hexadecimal characters."""
    return secrets.token_hex(4)


def step_execution_id(execution: str, step: int, lane: int, round_: int = 0) -> str:
    """Return the id of one step on one host of an execution."""
    return f"{execution}-{step}-{lane}-{round_}"


def attempt_id(step_execution: str, number: int, nonce: str) -> str:
    """Return the id of one try at a step execution."""
    return f"{step_execution}-{number}-{nonce}"


def new_secret(kind: str) -> str:
    """Return a new credential of 256 random bits, ``plm_<kind>_...``, that leak scanners can recognise."""
    return f"{TOKEN_PREFIX}{kind}_{secrets.token_urlsafe(32)}"


def secret_hash(secret: str) -> str:
    """Return what is stored instead of a 256-bit secret; it needs no salt and no stretching."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
