"""The value of ``offline``: what becomes of steps whose hosts are not there."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, WithJsonSchema

from plumber_core.model import durations
from plumber_core.model.batches import Share, parse_amount
from plumber_core.model.plan import Absence
from plumber_core.model.rollout import AMOUNT_SCHEMA
from plumber_core.model.wrong_types import wrong_type
from plumber_core.reasons import because

_QUEUE = re.compile(r"queue +(\S+)")
_POLICY_SCHEMA: dict[str, Any] = {
    "anyOf": [{"enum": ["fail", "skip"]}, {"type": "string", "pattern": "^queue +[0-9.dhms]+$"}],
    "description": "fail, skip, or queue with how long, such as queue 24h",
}
_SCHEMA: dict[str, Any] = {
    "anyOf": [
        *_POLICY_SCHEMA["anyOf"],
        {
            "type": "object",
            "properties": {
                "policy": _POLICY_SCHEMA,
                "quorum": {
                    **AMOUNT_SCHEMA,
                    "description": "how many hosts of each step, or which share, must be there",
                },
            },
            "required": ["policy"],
            "additionalProperties": False,
        },
    ]
}


def _policy(value: object) -> object:
    if value in ("fail", "skip"):
        return value
    match = _QUEUE.fullmatch(value) if isinstance(value, str) else None
    try:
        durations.parse_duration(match[1] if match else None)
    except ValueError:
        raise wrong_type("offline", because("expect_offline")) from None
    return value


def _quorum(value: object) -> object:
    if parse_amount(value) is None:
        raise wrong_type("quorum", because("expect_amount"))
    return value


def _offline(value: object) -> object:
    if isinstance(value, Offline):
        return value
    if not isinstance(value, dict):
        return _policy(value)
    for key, item in value.items():
        if key == "quorum":
            _quorum(item)
        elif key == "policy":
            _policy(item)
    try:
        return Offline.model_validate(value)
    except ValidationError:
        raise wrong_type("offline", because("expect_offline")) from None


class Offline(BaseModel):
    """A policy with a quorum: hosts that are missed are warnings, as long as so many of each step are not."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Annotated[str, BeforeValidator(_policy)]
    quorum: Annotated[int | str | None, BeforeValidator(_quorum)] = None


WhenOffline = Annotated[str | Offline, BeforeValidator(_offline), WithJsonSchema(_SCHEMA)]


def absence_of(written: str | Offline | None) -> Absence | None:
    """Return what a task's ``offline`` means, None without one: hosts are waited for."""
    if written is None:
        return None
    policy, quorum = (written.policy, written.quorum) if isinstance(written, Offline) else (written, None)
    kind: Literal["fail", "skip", "queue"] = "queue"
    if policy in ("fail", "skip"):
        kind = "skip" if policy == "skip" else "fail"
        return Absence(kind, 0.0, quorum)
    match = _QUEUE.fullmatch(policy)
    return Absence(kind, durations.parse_duration(match[1] if match else 0), quorum)


def needed(absence: Absence, hosts: int) -> int:
    """Return how many of a step's hosts have to be there: without a quorum at least one."""
    amount = None if absence.quorum is None else parse_amount(absence.quorum)
    if amount is None:
        return min(1, hosts)
    return amount.up(hosts) if isinstance(amount, Share) else min(amount, hosts)
