"""The values of ``locks`` and ``concurrency``: what has to be free before something runs."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StrictInt, ValidationError, WithJsonSchema

from plumber_core.model.plan import Overlap
from plumber_core.model.wrong_types import wrong_type
from plumber_core.reasons import because

AGENT = "{agent}"
"""What stands in a lock's name for the host."""
MAX_NAME = 200
MAX_LIMIT = 100_000


def _text(key: str, value: object) -> str:
    usable = isinstance(value, str) and 0 < len(value) <= MAX_NAME and value.isprintable() and value == value.strip()
    if not usable:
        raise wrong_type(key, because("expect_lock"))
    return str(value)


class Lock(BaseModel):
    """A named lock: held alone, by any number together (``shared``), or by so many at once (``limit``)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    shared: bool = False
    limit: int | None = Field(default=None, ge=1, le=MAX_LIMIT)

    @property
    def most(self) -> int | None:
        """How many may hold it at once; None for any number."""
        return None if self.shared else (self.limit or 1)


def _lock(value: object) -> object:
    if isinstance(value, Lock):
        return value
    if isinstance(value, str):
        name, colon, how = value.rpartition(":")
        if not colon or how not in ("shared", "exclusive"):
            name, how = value, ""
        return Lock(name=_text("locks", name), shared=how == "shared")
    if isinstance(value, dict):
        try:
            lock = Lock.model_validate(value, strict=True)
        except ValidationError:
            raise wrong_type("locks", because("expect_lock")) from None
        _text("locks", lock.name)
        if lock.shared and lock.limit is not None:
            raise wrong_type("locks", because("expect_lock"))
        return lock
    raise wrong_type("locks", because("expect_lock"))


_LOCK_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "minLength": 1, "maxLength": MAX_NAME + 10},
        {
            "type": "object",
            "properties": {
                "name": {"type": "string", "minLength": 1, "maxLength": MAX_NAME},
                "shared": {"type": "boolean"},
                "limit": {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT},
            },
            "required": ["name"],
            "additionalProperties": False,
        },
    ]
}
Locks = tuple[Annotated[Lock, BeforeValidator(_lock), WithJsonSchema(_LOCK_SCHEMA)], ...]


def _bounded(key: str, low: int, high: int) -> BeforeValidator:
    def check(value: object) -> object:
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise wrong_type(key, because("expect_integer", low=low, high=high))
        return value

    return BeforeValidator(check)


def _key(value: object) -> object:
    return value if value is None else _text("key", value)


class Concurrency(BaseModel):
    """How many executions with the same ``key`` run at once, and what becomes of one more.

    Those that wait in a queue begin by ``priority``, the highest first, and in the order in which they came;
    ``max_queued`` is how many may wait.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str | None, BeforeValidator(_key)] = None
    limit: Annotated[StrictInt, _bounded("limit", 1, MAX_LIMIT)] = 1
    overlap: Overlap = "queue"
    priority: Annotated[StrictInt, _bounded("priority", -1000, 1000)] = 0
    max_queued: Annotated[StrictInt | None, _bounded("max_queued", 0, MAX_LIMIT)] = None
