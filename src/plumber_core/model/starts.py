"""What a write sets going, and what a condition passes over instead. Part of ``records.py``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from plumber_core.model.asked import Asked


@dataclass(frozen=True, slots=True)
class Start:
    """One step to set going: ``ready``, or ``running`` with its attempt already bound to a connected session.

    ``agent_id`` is None in a pool. What ``wants`` to hold something is ready, and nobody may claim it before.
    """

    step_id: str
    agent_id: str | None
    step: int
    spec: dict[str, Any]
    attempt_id: str | None = None
    number: int = 0
    session: str | None = None
    beat: int = 0
    boot_id: str = ""
    wants: tuple[Asked, ...] = ()


PASSED = "when_false"


@dataclass(frozen=True, slots=True)
class Passed:
    """A step that is not run in a lane because a condition, ``when``, is false there; ``agent_id`` None in a pool."""

    step_id: str
    step: int
    lane: int
    agent_id: str | None
    when: str

    @property
    def cause(self) -> dict[str, Any]:
        """Why it was skipped, as a code with arguments."""
        return {"code": PASSED, "when": self.when}


@dataclass(frozen=True, slots=True)
class Claim:
    """Who claims: ``session`` is a hash, ``beat`` the number of the newest renewal, ``nonce`` names the attempt."""

    agent: str
    session: str
    beat: int
    boot_id: str
    nonce: str
