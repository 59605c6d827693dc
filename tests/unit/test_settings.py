"""Settings that are durations: read as people write them, refused with the name of the setting."""

from __future__ import annotations

import pytest

from plumber_core.config import load_settings
from plumber_core.errors import StartupError
from plumber_core.model.limits import Patience


def test_how_long_the_silent_are_waited_for_is_read_as_people_write_durations(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().patience == Patience(30.0, 900.0, 5.0)
    for name, value in (("LEASE", "2m"), ("LOST_AFTER", "1h30m"), ("SWEEP_INTERVAL", "500ms")):
        monkeypatch.setenv(f"PLUMBER_{name}", value)
    assert load_settings().patience == Patience(120.0, 5400.0, 0.5)


@pytest.mark.parametrize("value", ["never", "", "-1s", "0"])
def test_what_is_no_duration_is_refused_by_name(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLUMBER_LOST_AFTER", value)
    with pytest.raises(StartupError, match=r"LOST_AFTER.*not a duration such as 30s"):
        load_settings()


def test_a_lease_is_never_shorter_than_three_heartbeats() -> None:
    assert (Patience(lease=1.0).lease_at(1.0), Patience().lease_at(1.0), Patience().lease_at(20.0)) == (3.0, 30.0, 60.0)
