"""When a command's end is not its attempt's, because the machine goes down, and what another boot makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from plumber_core.model.restarts import RETURN_WITHIN, return_within
from plumber_core.runner.ledger import Entry
from plumber_core.runner.restarts import META, Restarts, has_restarted, restarted, still_waits


def end(state: str = "failed", **values: Any) -> dict[str, Any]:
    return {"state": state, "exit_code": None, "signal": None, "error": None, **values}


def asked(until: float = 100.0, boot: str = "first") -> Entry:
    return Entry("a", "running", boot, {META: {"asked": 1000, "until": until}})


@pytest.mark.parametrize(
    ("result", "waits", "error"),
    [
        (end("succeeded", exit_code=0), True, None),
        (end(signal=15), True, None),
        (end(signal=9), True, None),
        (end(exit_code=143), True, None),
        (end(exit_code=1), False, "restart_failed"),
        (end(exit_code=127), False, "restart_failed"),
        (end("cancelled", signal=15), False, None),
        (end("timed_out", signal=15, error="timeout"), False, "timeout"),
    ],
)
def test_only_what_went_well_or_was_ended_by_the_shutdown_waits(
    result: dict[str, Any], waits: bool, error: str | None
) -> None:
    restarts = Restarts()
    assert (restarts.waits(asked(), result), result["error"]) == (waits, error)
    assert restarts.deadline() == (100.0 if waits else float("inf"))


def test_a_usual_command_never_waits() -> None:
    assert not Restarts().waits(Entry("a", "running", "first", {}), end("succeeded", exit_code=0))


def test_who_has_not_restarted_in_time_has_failed_once() -> None:
    restarts = Restarts()
    restarts.resume([asked()])
    assert restarts.overdue(99.9) == []
    assert [(one.attempt, one.exit["error"]) for one in restarts.overdue(100.0)] == [("a", "not_restarted")]
    assert restarts.overdue(200.0) == [] and restarts.cancelled("a") is None


def test_a_cancel_ends_the_waiting() -> None:
    restarts = Restarts()
    restarts.resume([asked()])
    waited = restarts.cancelled("a")
    assert waited is not None and waited.exit == {"state": "cancelled", "error": "restart_asked"}
    assert restarts.deadline() == float("inf")


def test_a_timeout_of_the_step_is_the_end_of_waiting_too() -> None:
    command: dict[str, Any] = {"env": {}, "restarts": 600.0, "timeout": 60.0}
    assert Restarts.begin(command, {"step": "s"}, 10.0, 5)[META] == {"asked": 5, "until": 70.0}
    assert command["env"] == {"PLUMBER_RESTARTS": "1"}
    plain: dict[str, Any] = {"env": {}}
    assert Restarts.begin(plain, {"step": "s"}, 10.0, 5) == {"step": "s"} and plain["env"] == {}


def test_another_boot_is_the_success_and_nothing_else_is() -> None:
    entry = asked()
    assert has_restarted(entry, "second") and not has_restarted(entry, "first") and still_waits(entry, "first")
    assert restarted(entry, "second", 1042) == (
        {"state": "succeeded", "duration": 42.0},
        {"boot_before": "first", "boot_after": "second", "seconds": "42"},
    )
    assert not has_restarted(Entry("b", "running", "first", {}), "second")
    entry.reaped = end(exit_code=1)
    assert not has_restarted(entry, "second") and not still_waits(entry, "first")


@pytest.mark.parametrize(
    ("uses", "params", "within"),
    [
        ("shell", {"timeout": 5}, None),
        ("reboot", {}, RETURN_WITHIN),
        ("reboot", {"timeout": "90"}, 90.0),
        ("reboot", {"timeout": "soon"}, RETURN_WITHIN),
        ("reboot", {"timeout": -1}, RETURN_WITHIN),
        ("reboot", {"timeout": float("nan")}, RETURN_WITHIN),
    ],
)
def test_how_long_a_host_may_be_away(uses: str, params: dict[str, Any], within: float | None) -> None:
    assert return_within(uses, params) == within
