"""The error of a value that is not what its key takes."""

from __future__ import annotations

from pydantic_core import PydanticCustomError

from plumber_core.model.sentences import KEYS
from plumber_core.reasons import Because


def wrong_type(key: str, expected: Because) -> PydanticCustomError:
    """Return the error that ``key`` must be ``expected``, to be raised by a validator."""
    return PydanticCustomError("wrong_type", KEYS["wrong_type"], {"key": key, "expected": expected})
