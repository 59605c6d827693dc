"""Attempts that end with another boot of the machine: asked for once, durably, before the command that restarts it.

Such an attempt's entry in the journal stays open when its command has ended well, or was ended by the machine going
down. The next boot closes it as a success (``recovery.py``); what has not begun by its moment closes it as a failure.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from plumber_core.runner.ledger import Entry

META = "restarts"
"""In an attempt's record: ``asked``, seconds since 1970, and ``until``, on the clock of that boot."""
VARIABLE = "PLUMBER_RESTARTS"
"""Tells the executor host that the journal knows: without it nothing restarts a machine."""
BEFORE, AFTER, SECONDS = "boot_before", "boot_after", "seconds"
"""What the step hands on."""
_FOREVER = float("inf")
_GOING_DOWN = (128 + 15, 128 + 9)
"""How a shell tells that what it waited for was ended by TERM or KILL."""

Result = dict[str, Any]


class Ended(NamedTuple):
    """An attempt that has ended, the end of its log, and how it did."""

    attempt: str
    end: int
    exit: Result


class Restarts:
    """The attempts that wait for another boot in this one. No I/O, no clock."""

    def __init__(self) -> None:
        self._waiting: dict[str, tuple[Entry, float]] = {}

    @staticmethod
    def begin(command: dict[str, Any], meta: dict[str, Any], now: float, wall: int) -> dict[str, Any]:
        """Return what the journal keeps of an attempt before its command runs."""
        within = command.get("restarts")
        if within is None:
            return meta
        command["env"][VARIABLE] = "1"
        patience = min(float(within), float(command.get("timeout") or _FOREVER))
        return {**meta, META: {"asked": wall, "until": now + patience}}

    def resume(self, open_entries: Iterable[Entry]) -> None:
        """Go on waiting in a new supervisor of the same boot."""
        for entry in open_entries:
            self._wait(entry)

    def expects(self, entry: Entry, result: Result) -> bool:
        """Say whether this end of a command is not its attempt's, because the machine goes down."""
        return META in entry.meta and _goes_down(result)

    def waits(self, entry: Entry, result: Result) -> bool:
        """Wait from now on if this end of a command is not its attempt's; say whether it is so."""
        if expected := self.expects(entry, result):
            self._wait(entry)
        elif META in entry.meta and result["exit_code"]:
            result["error"] = "restart_failed"
        return expected

    def _wait(self, entry: Entry) -> None:
        self._waiting[entry.attempt] = entry, float(entry.meta[META]["until"])

    def deadline(self) -> float:
        """Return when ``overdue`` has something to tell (boot clock)."""
        return min((until for _, until in self._waiting.values()), default=_FOREVER)

    def overdue(self, now: float) -> list[Ended]:
        """Return the attempts whose machine should have gone down by now, and forget them."""
        late = [entry for entry, until in self._waiting.values() if now >= until]
        failed = {"state": "failed", "error": "not_restarted"}
        return [self._end(entry, failed) for entry in late]

    def cancelled(self, attempt: str) -> Ended | None:
        """Stop waiting: what was asked of the machine cannot be taken back, but nobody waits for it any more."""
        found = self._waiting.get(attempt)
        return self._end(found[0], {"state": "cancelled", "error": "restart_asked"}) if found else None

    def _end(self, entry: Entry, result: Result) -> Ended:
        del self._waiting[entry.attempt]
        return Ended(entry.attempt, entry.end, result)


def _goes_down(result: Result) -> bool:
    """A command that did its work, or that nobody here has ended: whatever stops a machine ends what runs on it."""
    if result["error"] is not None or result["state"] in ("cancelled", "timed_out"):
        return False
    return result["state"] == "succeeded" or result["signal"] is not None or result["exit_code"] in _GOING_DOWN


def has_restarted(entry: Entry, boot: str) -> bool:
    """Say whether an open entry's machine did what was asked of it, when ``boot`` is the present one."""
    return META in entry.meta and entry.boot not in (boot, "") and entry.reaped is None and not entry.damaged


def still_waits(entry: Entry, boot: str) -> bool:
    """Say whether an open entry's machine may still go down."""
    return META in entry.meta and entry.boot == boot and entry.reaped is None and not entry.damaged


def restarted(entry: Entry, boot: str, wall: int) -> tuple[Result, dict[str, str]]:
    """Return how an attempt ended whose machine is back, and what it hands on."""
    away = max(0, wall - int(entry.meta[META]["asked"]))
    outputs = {BEFORE: entry.boot, AFTER: boot, SECONDS: str(away)}
    return {"state": "succeeded", "duration": float(away)}, outputs
