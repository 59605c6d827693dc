"""The one id scheme: UUID version 7 in its canonical text form, made where the row is made.

What is keyed by others has its key as its id: a step execution is ``<execution>-<step>-<lane>-<round>`` (indexes
into the frozen plan), an attempt ``<step execution>-<number>-<nonce>``. The nonce keeps an attempt's id unique even
when a restored database hands out the same number again.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Iterable, Iterator

TOKEN_PREFIX = "plm_"  # noqa: S105 - a prefix, not a secret


class Source:
    """Where new ids come from."""

    def id(self) -> str:
        from uuid_utils import uuid7

        return str(uuid7())

    def nonce(self) -> str:
        return secrets.token_hex(4)


_source = Source()


@contextlib.contextmanager
def drawn_from(source: Source) -> Iterator[None]:
    """Have this process take its ids from another source: a simulator repeats them by its seed."""
    global _source
    usual, _source = _source, source
    try:
        yield
    finally:
        _source = usual


def new_id() -> str:
    """Return a new time-ordered id, 36 characters."""
    return _source.id()


def first_id_at(seconds: float) -> str:
    """Return the smallest id that can have been made at a time, in seconds since 1970."""
    time = f"{max(0, int(seconds * 1000)):012x}"
    return f"{time[:8]}-{time[8:]}-7000-8000-000000000000"


def new_nonce() -> str:
    """Return eight random hexadecimal characters."""
    return _source.nonce()


def step_execution_id(execution: str, step: int, lane: int, round_: int = 0) -> str:
    """Return the id of one step on one host of an execution."""
    return f"{execution}-{step}-{lane}-{round_}"


def attempt_id(step_execution: str, number: int, nonce: str) -> str:
    """Return the id of one try at a step execution."""
    return f"{step_execution}-{number}-{nonce}"


def free_host(stage: int, lane: int) -> str:
    """Return what stands for the agent of a pool's step while nobody has claimed it; ``storage`` makes it in SQL."""
    return f"any-{stage}-{lane}"


def pool_id(agents: Iterable[str]) -> str:
    """Return the id of a pool: the same for the same agents, so that one is stored for all executions that use it."""
    return hashlib.sha256(" ".join(sorted(agents)).encode()).hexdigest()[:32]


def share_of(text: str) -> float:
    """Return a number from 0 to 1 that is the same for the same text: what is random in it is the id's nonce."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") / 2**64


def new_secret(kind: str) -> str:
    """Return a new credential of 256 random bits, ``plm_<kind>_...``, that leak scanners can recognise."""
    return f"{TOKEN_PREFIX}{kind}_{secrets.token_urlsafe(32)}"


def secret_hash(secret: str) -> str:
    """Return what is stored instead of a 256-bit secret; it needs no salt and no stretching."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
