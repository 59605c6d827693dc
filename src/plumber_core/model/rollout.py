"""The values of a rollout: how a block of steps spreads over its hosts."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema
from pydantic_core import PydanticCustomError

from plumber_core.model import durations
from plumber_core.model.batches import BadBatches, parse_amount, parse_batches
from plumber_core.model.plan import Pause
from plumber_core.model.sentences import KEYS, RULES
from plumber_core.model.wrong_types import wrong_type
from plumber_core.reasons import because

MANUAL = "manual"


def _batches(value: object) -> object:
    try:
        parse_batches(value)
    except BadBatches as error:
        raise PydanticCustomError("bad_batches", RULES["bad_batches"], {"reason": error.reason}) from None
    return tuple(value) if isinstance(value, list | tuple) else value


def _amount(value: object) -> object:
    if parse_amount(value) is None:
        raise wrong_type("max_failures", because("expect_amount"))
    return value


def _max_failures(value: object) -> object:
    if isinstance(value, MaxFailures):
        return value
    if not isinstance(value, dict):
        return _amount(value)
    if not value:
        raise wrong_type("max_failures", because("expect_amounts"))
    try:
        return MaxFailures.model_validate(value)
    except ValidationError:
        raise wrong_type("max_failures", because("expect_amounts")) from None


def _pause(value: object) -> object:
    if value == MANUAL:
        return value
    try:
        return durations.parse_duration(value)
    except ValueError:
        shown = {"value": str(value)[:80], "expected": because("expect_pause")}
        raise PydanticCustomError("bad_duration", KEYS["bad_duration"], shown) from None


def _order(value: object) -> object:
    if value in ("name", "random") or isinstance(value, ByLabel):
        return value
    if isinstance(value, dict) and set(value) == {"label"} and isinstance(value["label"], str) and value["label"]:
        return ByLabel(label=value["label"])
    raise wrong_type("order", because("expect_order"))


_SHARE = r"[0-9]{1,3}(\.[0-9]{1,2})?%"
AMOUNT_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": 999_999},
        {"type": "string", "pattern": f"^(0|[1-9][0-9]{{0,5}}|{_SHARE})$"},
    ]
}
_SIZE = rf"([1-9][0-9]{{0,5}}|{_SHARE}|[*+][1-9][0-9]{{0,5}})"
_SIZES_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": 999_999},
        {"type": "string", "pattern": rf"^\s*{_SIZE}(\s+{_SIZE})*\s*$"},
    ]
}
_BATCHES_SCHEMA: dict[str, Any] = {
    "anyOf": [*_SIZES_SCHEMA["anyOf"], {"type": "array", "items": _SIZES_SCHEMA, "minItems": 1}]
}
_MAX_FAILURES_SCHEMA: dict[str, Any] = {
    "anyOf": [
        *AMOUNT_SCHEMA["anyOf"],
        {
            "type": "object",
            "properties": {"total": AMOUNT_SCHEMA, "batch": AMOUNT_SCHEMA},
            "minProperties": 1,
            "additionalProperties": False,
        },
    ]
}
_PAUSE_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"const": MANUAL},
        {"type": "number", "minimum": 0, "maximum": durations.MAX_DURATION},
        {"type": "string", "pattern": durations.PATTERN},
    ]
}
_ORDER_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"enum": ["name", "random"]},
        {
            "type": "object",
            "properties": {"label": {"type": "string", "minLength": 1}},
            "required": ["label"],
            "additionalProperties": False,
        },
    ]
}
Amount = Annotated[int | str, BeforeValidator(_amount), WithJsonSchema(AMOUNT_SCHEMA)]


class MaxFailures(BaseModel):
    """Hosts that may fail, as numbers or shares: of the whole block, and of each batch; None is any number."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    total: Amount | None = None
    batch: Amount | None = None


class ByLabel(BaseModel):
    """Hosts in the order of a label's values; those without it, or with ``false``, are the last."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    label: str = Field(min_length=1)


Batches = Annotated[int | str | tuple[int | str, ...], BeforeValidator(_batches), WithJsonSchema(_BATCHES_SCHEMA)]
Failures = Annotated[int | str | MaxFailures, BeforeValidator(_max_failures), WithJsonSchema(_MAX_FAILURES_SCHEMA)]
BatchPause = Annotated[Pause, BeforeValidator(_pause), WithJsonSchema(_PAUSE_SCHEMA)]
Order = Annotated[Literal["name", "random"] | ByLabel, BeforeValidator(_order), WithJsonSchema(_ORDER_SCHEMA)]
