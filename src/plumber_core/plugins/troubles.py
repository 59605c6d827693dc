"""What went wrong with plugins' objects since this process began: isolated, but not forgotten."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

LONGEST = 500


@dataclass(frozen=True, slots=True)
class Trouble:
    """How often an object failed, and how the last time. ``ongoing`` ends with its next success."""

    failures: int
    error: str
    at: datetime
    ongoing: bool = True


class Troubles:
    """By (plural noun, name) of the object."""

    def __init__(self) -> None:
        self._found: dict[tuple[str, str], Trouble] = {}

    def note(self, noun: str, name: str, error: BaseException) -> None:
        """Count a failure."""
        before = self._found.get((noun, name))
        said = f"{type(error).__name__}: {error}"[:LONGEST]
        self._found[noun, name] = Trouble(1 + (before.failures if before else 0), said, datetime.now(UTC))

    def well(self, noun: str, name: str) -> None:
        """Note a success."""
        before = self._found.get((noun, name))
        if before is not None and before.ongoing:
            self._found[noun, name] = Trouble(before.failures, before.error, before.at, ongoing=False)

    def of(self, noun: str, name: str) -> Trouble | None:
        """Return what went wrong with an object; None while nothing has."""
        return self._found.get((noun, name))
