"""Hashing of passwords: argon2id, in threads of its own."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

from plumber_core import InvalidRequest, MissingExtra

if TYPE_CHECKING:
    from argon2 import PasswordHasher

T = TypeVar("T")

MEMORY_KIB, ROUNDS, LANES = 64 * 1024, 3, 1
MAX_BYTES = 1024
AT_ONCE = 2
"""Hashes computed at the same time; each takes 64 MiB and a core for 0.2 s: a flood of logins queues."""

NOBODY = "$argon2id$v=19$m=65536,t=3,p=1$CjSq8F0WBdbKgZ/pvQ+Usg$JKoyOFCUvZyAqn92NkonpMZsX51OUX/NyWmI2YMZZ9Y"
"""A hash that no password has: checked for unknown users, so that time does not tell who exists."""


async def hash_password(text: str) -> str:
    """Return the hash to store.

    Raises:
        InvalidRequest: longer than 1024 bytes.
        MissingExtra: argon2 is not installed.
    """
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise InvalidRequest(field="password", reason="it is longer than 1024 bytes")
    return await _apart(lambda: _hasher().hash(text))


async def verify_password(stored: str | None, text: str) -> bool:
    """Say whether ``text`` is the password; ``stored`` None (no such user) takes as long and is never right.

    Raises:
        MissingExtra: argon2 is not installed.
    """
    return await _apart(lambda: _verify(stored, text))


def needs_rehash(stored: str) -> bool:
    """Say whether a hash was made with weaker numbers than today's: hash again at the next login."""
    return _hasher().check_needs_rehash(stored)


def _verify(stored: str | None, text: str) -> bool:
    hasher = _hasher()
    from argon2.exceptions import InvalidHashError, VerificationError

    password = text.encode("utf-8", "surrogatepass")
    try:
        right = hasher.verify(stored or NOBODY, password[:MAX_BYTES])
    except (InvalidHashError, VerificationError):
        return False
    return right and stored is not None and len(password) <= MAX_BYTES


@functools.cache
def _hasher() -> PasswordHasher:
    try:
        from argon2 import PasswordHasher
    except ImportError:
        raise MissingExtra(feature="Logging in with a password", extra="server") from None
    return PasswordHasher(time_cost=ROUNDS, memory_cost=MEMORY_KIB, parallelism=LANES)


@functools.cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(AT_ONCE, thread_name_prefix="passwords")


async def _apart(work: Callable[[], T]) -> T:
    return await asyncio.get_running_loop().run_in_executor(_threads(), work)
